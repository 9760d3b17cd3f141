/**
 * What the engine tells of: read at its `emit`, before its event buffer, which would hold it back for up to half a
 * minute and merge it. Journaled is what no other kind of entry holds.
 */
import { jidNormalizedUser, proto } from './engine.js'
import { updateEntry, webEntry } from './entries.js'

/** @typedef {import('./entries.js').Entry} Entry */

/** Derived from what is in the journal already, or not worth keeping. */
const SKIPPED = new Set([
    'presence.update', 'messaging-history.set', 'messaging-history.status', 'messages.reaction',
    'message-receipt.update', 'call'
])
const FROM_A_MESSAGE = new Set(['id', 'notify', 'verifiedName'])
const FROM_A_RECEIPT_OR_MESSAGE = new Set([
    'status', 'messageTimestamp', 'message', 'messageStubType', 'messageStubParameters', 'key'
])
const { ERROR, PENDING } = proto.WebMessageInfo.Status

/** @type {Record<string, (item: any) => boolean>} which items of a list say something new */
const NEWS = {
    'contacts.update': contact => Object.keys(contact).some(field =>
        contact[field] !== undefined && !FROM_A_MESSAGE.has(field)),
    'chats.update': chat => !chat.messages,
    'messages.update': ({ update }) => update?.status === ERROR ||
        Object.keys(update ?? {}).some(field => !FROM_A_RECEIPT_OR_MESSAGE.has(field))
}

export class Tap {
    #of

    /**
     * @param {object} of
     * @param {() => string} of.nextSource
     * @param {import('./lru.js').Recent} of.seen
     * @param {import('./lru.js').Recent<import('./told.js').Known>} of.derived
     * @param {(entries: Entry[]) => void} of.journal
     * @param {() => void} of.onCreds called before the engine applies the change
     * @param {(update: any) => void} of.onAppStateKey called after it did
     * @param {(update: any) => void} of.onConnection
     */
    constructor(of) {
        this.#of = of
    }

    /**
     * Take the place of the event buffer's `emit`.
     * @param {{emit: (event: any, data: any) => boolean}} ev
     */
    install(ev) {
        const emit = ev.emit.bind(ev)
        ev.emit = (event, data) => {
            if (event === 'creds.update') this.#of.onCreds()
            else if (event === 'connection.update') this.#of.onConnection(data)
            else this.#journal(event, data)
            const heard = emit(event, data)
            if (event === 'creds.update' && data.myAppStateKeyId) this.#of.onAppStateKey(data)
            return heard
        }
    }

    /**
     * @param {string} event
     * @param {any} data
     */
    #journal(event, data) {
        const entries = event === 'messages.upsert' ? this.#messages(data) : this.#updates(event, data)
        if (entries.length) this.#of.journal(entries)
    }

    /**
     * @param {string} event
     * @param {any} data
     * @returns {Entry[]}
     */
    #updates(event, data) {
        if (SKIPPED.has(event)) return []
        const isNews = Object.hasOwn(NEWS, event) ? NEWS[event] : null
        const news = isNews && Array.isArray(data) ? data.filter(isNews) : data
        const nothing = Array.isArray(news) && !news.length
        return nothing ? [] : [updateEntry(event, news, this.#of.nextSource())]
    }

    /**
     * @param {{messages: any[], requestId?: string}} upsert
     * @returns {Entry[]}
     */
    #messages({ messages, requestId }) {
        if (requestId) {
            return messages.map(message =>
                webEntry({ ...message, requestId }, { source: this.#of.nextSource(), origin: 'resend' }))
        }
        return messages
            .filter(({ key }) => !this.#of.seen.has(key?.id))
            .map(message => webEntry(this.#named(message), this.#where(message)))
    }

    /**
     * The engine loses the other identity of who is behind a notification or a call, and the group that is called.
     * @param {any} message
     */
    #named(message) {
        const known = this.#of.derived.about(message.key?.id)
        const who = message.key?.participant || message.key?.remoteJid
        const isSame = known && jidNormalizedUser(known.of) === jidNormalizedUser(who)
        return isSame ? { ...message, key: { ...message.key, ...known.key } } : message
    }

    /** @param {any} message */
    #where({ key, status }) {
        const sent = key.fromMe && status === PENDING
        return sent
            ? { source: `sent:${key.remoteJid}:${key.id}`, origin: 'sent' }
            : { source: this.#of.nextSource(), origin: 'derived' }
    }
}
