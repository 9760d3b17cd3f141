/**
 * The queries of the Flutter app, as it issues them. Each export takes what it is about and is one query, so that the
 * test of the indexes can issue every one of them (docs/operations.md, "Indexes and rules").
 */
import { collection, collectionGroup, limit, orderBy, query, where } from '@firebase/firestore'

const CHAT = 200

/** The inbox of one account; one of the app's screens asks for 200. */
export const threads = (db, { account, limit: most = 100 }) =>
    query(collection(db, 'threads'), where('accountId', '==', account), orderBy('lastMessageAt', 'desc'), limit(most))

/** The part of it that was assigned to one employee. */
export const assigned = (db, { account, to }) =>
    query(
        collection(db, 'threads'),
        where('accountId', '==', account),
        where('assignedTo', '==', to),
        orderBy('lastMessageAt', 'desc'),
        limit(100)
    )

export const messages = (db, { thread }) =>
    query(collection(db, 'threads', thread, 'messages'), orderBy('tsClient', 'desc'), limit(CHAT))

export const statusUpdates = (db, { account }) =>
    query(
        collection(db, 'threads', `${account}__status@broadcast`, 'messages'),
        orderBy('tsSort', 'desc'),
        limit(CHAT)
    )

/** The diagnostics screen: what came in last, by one of the two times. */
export const newestByNumber = (db, about) => newest(db, about, 'tsClientMs')
export const newestByTime = (db, about) => newest(db, about, 'tsClient')

const newest = (db, { account, direction = 'inbound' }, by) =>
    query(
        collectionGroup(db, 'messages'),
        where('accountId', '==', account),
        where('direction', '==', direction),
        orderBy(by, 'desc'),
        limit(20)
    )

/** The same over all accounts: the super-admin's alone. */
export const newestOfAll = (db) => query(collectionGroup(db, 'messages'), orderBy('tsClient', 'desc'), limit(20))

/** All of an account in one of the collections that are read by account. */
export const ofAccount = (db, { collection: name, account }) =>
    query(collection(db, name), where('accountId', '==', account))

/** All of a collection, whoever's it is. */
export const everything = (db, { collection: name }) => query(collection(db, name))
