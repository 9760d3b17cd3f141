/** What a person does in the app. Each tells the documents that were found and, where the app chooses, those shown. */
import { doc, getDoc, getDocsFromServer, onSnapshot } from '@firebase/firestore'

import { plain } from './plain.js'
import * as queries from './queries.js'
import * as shown from './shown.js'

const LONGEST_WAY = 5

export const inbox = async (db, about) => withShown(await found(queries.threads(db, about)), shown.inbox)

export const assigned = async (db, about) => withShown(await found(queries.assigned(db, about)), shown.inbox)

/** Opens a thread, goes where it leads, and reads its messages. */
export async function chat(db, { thread: first }) {
    const thread = await opened(db, first)
    return { thread, ...withShown(await found(queries.messages(db, { thread: thread.id })), shown.chat) }
}

async function opened(db, id, steps = LONGEST_WAY) {
    const thread = await getDoc(doc(db, 'threads', id))
    if (!thread.exists()) throw new Error(`no thread ${id}`)
    const next = shown.leadsTo(plain(thread))
    return next && next !== id && steps > 0 ? opened(db, next, steps - 1) : plain(thread)
}

export const status = async (db, about) => ({ documents: await found(queries.statusUpdates(db, about)) })

/** By `tsClientMs`, and where no message has that, by `tsClient`. */
export async function diagnostics(db, about) {
    const byNumber = await found(queries.newestByNumber(db, about))
    if (byNumber.length) return { documents: byNumber, by: 'tsClientMs' }
    return { documents: await found(queries.newestByTime(db, about)), by: 'tsClient' }
}

export const diagnosticsOfAll = async (db) => ({ documents: await found(queries.newestOfAll(db)) })

export const ofAccount = async (db, about) => ({ documents: await found(queries.ofAccount(db, about)) })

export const everything = async (db, about) => ({ documents: await found(queries.everything(db, about)) })

export async function open(db, { path }) {
    const document = await getDoc(doc(db, path))
    return { document: document.exists() ? plain(document) : null }
}

/** No screen: every query there is, for whoever wants to know which indexes they need. */
export async function everyQuery(db, about) {
    await Promise.all(Object.values(queries).map((query) => found(query(db, about))))
    return { issued: Object.keys(queries).sort() }
}

/** Watches the inbox or a chat: calls `onChange` for every snapshot, `onRefused` when Firestore ends it. */
export function watch(db, about, { onChange, onRefused }) {
    const [asked, choose] = about.thread
        ? [queries.messages(db, about), shown.chat]
        : [queries.threads(db, about), shown.inbox]
    return onSnapshot(
        asked,
        (snapshot) =>
            onChange({
                changes: snapshot.docChanges().map((change) => ({
                    type: change.type,
                    id: change.doc.id,
                    from: change.oldIndex,
                    to: change.newIndex
                })),
                ...withShown(snapshot.docs.map(plain), choose)
            }),
        onRefused
    )
}

const found = async (query) => (await getDocsFromServer(query)).docs.map(plain)

const withShown = (documents, choose) => ({ documents, shown: choose(documents).map(({ id }) => id) })
