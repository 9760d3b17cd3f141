/** Cuts a history chunk into records that fit a frame, one message normalised after the other. */
import { jidNormalizedUser, processHistoryMessage, proto, SILENT } from './engine.js'
import { webPayload, webRaw } from './messages.js'
import { PROTO, tidy } from './tidy.js'

const MAX_MESSAGES = 200
const MAX_BYTES = 900_000
// Half of what a frame may hold; a record holds no more than one such item.
const MAX_ITEM_BYTES = 16 * 1024 * 1024

/** @typedef {{messages: any[], chats: any[], contacts: any[], mappings: any[]}} Record */

/** @returns {Record} */
const emptyRecord = () => ({ messages: [], chats: [], contacts: [], mappings: [] })

/**
 * @param {import('baileys').proto.HistorySync} sync is taken apart
 */
export function readHistory(sync) {
    makeReadable(sync)
    const { messages, chats, contacts, lidPnMappings } = processHistoryMessage(sync, SILENT)
    const statuses = sync.statusV3Messages ?? [] // the engine leaves them out
    return {
        mappings: lidPnMappings ?? [],
        tokens: tokensIn(chats),
        ends: chats.map(endOf),
        records: recordsOf({ messages: [...messages, ...statuses], chats, contacts, mappings: lidPnMappings ?? [] })
    }
}

/**
 * The engine falls over a message without a key, and would take the whole chunk with it.
 * @param {import('baileys').proto.HistorySync} sync
 */
function makeReadable(sync) {
    for (const chat of sync.conversations ?? []) {
        chat.messages = (chat.messages ?? []).filter(({ message }) => message)
        for (const { message } of chat.messages) if (message) message.key ??= proto.MessageKey.create({})
    }
}

/** @param {any} chat */
const endOf = ({ id, endOfHistoryTransferType: end }) => (end == null ? { id } : { id, end })

/**
 * Privacy tokens, without which the first message to a contact is refused.
 * @param {any[]} chats
 */
function tokensIn(chats) {
    return chats
        .filter(chat => chat.tcToken?.length && Number(chat.tcTokenTimestamp ?? 0) > 0)
        .map(chat => ({
            jid: jidNormalizedUser(chat.id),
            token: Buffer.from(chat.tcToken),
            timestamp: Number(chat.tcTokenTimestamp),
            senderTimestamp: chat.tcTokenSenderTimestamp ? Number(chat.tcTokenSenderTimestamp) : undefined
        }))
}

/**
 * Mappings first, because they apply before the messages of the same record.
 * @param {{messages: any[], chats: any[], contacts: any[], mappings: any[]}} history
 * @returns {Generator<['mappings' | 'contacts' | 'chats' | 'messages', any]>}
 */
function* partsOf({ messages, chats, contacts, mappings }) {
    for (const mapping of mappings) yield ['mappings', tidy(mapping)]
    for (const contact of contacts) yield ['contacts', tidy(contact)]
    for (const chat of chats) yield ['chats', plainChat(chat)]
    for (let index = 0; index < messages.length; index++) {
        const message = messages[index]
        messages[index] = undefined // let go of it: a chunk may be large
        yield ['messages', plainMessage(message)]
    }
}

/** @param {any} chat */
function plainChat(chat) {
    delete chat.messages // one message, which comes as a message
    try {
        return bounded(tidy(proto.Conversation.toObject(chat, PROTO)))
    } catch {
        return tidy({ id: chat.id })
    }
}

/** @param {any} message */
function plainMessage(message) {
    /** @type {{raw?: string}} parked by its place in the record */
    let item = {}
    try {
        item = bounded({ raw: webRaw(message) })
        return bounded({ ...webPayload(message), ...item })
    } catch {
        return item
    }
}

/**
 * @template T
 * @param {T} item
 */
function bounded(item) {
    if (byteLength(item) > MAX_ITEM_BYTES) throw new RangeError('too large')
    return item
}

/** @param {any} item */
const byteLength = item => Buffer.byteLength(JSON.stringify(item))

/**
 * @param {{messages: any[], chats: any[], contacts: any[], mappings: any[]}} history
 * @returns {Generator<Record>}
 */
function* recordsOf(history) {
    let record = emptyRecord()
    let bytes = 0
    for (const [list, item] of partsOf(history)) {
        const size = byteLength(item) + 1
        if (bytes && (bytes + size > MAX_BYTES || record.messages.length >= MAX_MESSAGES)) {
            yield record
            record = emptyRecord()
            bytes = 0
        }
        record[list].push(item)
        bytes += size
    }
    if (bytes) yield record
}
