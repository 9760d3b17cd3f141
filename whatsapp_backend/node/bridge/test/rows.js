/**
 * What the bridge would have journaled where stock Baileys told of something.
 *
 * Standard input: rows `{label, event, data}`, one a line, the events of the engine as `JSON.stringify` writes them.
 * Standard output: for each row `{label, event, entries}`. What came as a stanza is put back into one and read by the
 * code of the bridge, as the gate and decryption do; everything else goes through the tap.
 */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { jidNormalizedUser, proto } from '../engine.js'
import { debtEntry, plaintextEntries, stanzaEntry } from '../entries.js'
import { HistoryQueue } from '../history.js'
import { Recent } from '../lru.js'
import { webPayload } from '../messages.js'
import { classify, encSource } from '../stanzas.js'
import { Tap } from '../tap.js'
import { keyOfDerived, remember } from '../told.js'

/** @typedef {import('../engine.js').BinaryNode} BinaryNode */
/** @typedef {import('../entries.js').Entry} Entry */
/** @typedef {{label: string, event: string, data: any}} Row */

const ME = { id: '15550000001:1@s.whatsapp.net', lid: '77000000000001:1@lid' }
const OURS = new Set([ME.id, ME.lid].map(jid => jidNormalizedUser(jid)))
const { CIPHERTEXT } = proto.WebMessageInfo.StubType
const { DELIVERY_ACK, READ } = proto.WebMessageInfo.Status
const RECEIPTS = new Map([[DELIVERY_ACK, undefined], [READ, 'read']])

/** @type {Entry[]} */
let journaled = []
const seen = new Recent(1000)
/** @type {Recent<import('../told.js').Known>} */
const derived = new Recent(1000)
let sources = 0
const nextSource = () => `ev:rows:${sources++}`
const ev = { emit: (/** @type {string} */ _event, /** @type {any} */ _data) => true }
new Tap({
    nextSource, seen, derived,
    journal: entries => journaled.push(...entries),
    onCreds() {}, onAppStateKey() {}, onConnection() {}
}).install(ev)

/**
 * The attributes of the stanza that a message came in, from what the engine made of them.
 * @param {any} message
 */
function attrsOf({ key, messageTimestamp, pushName, category }) {
    const { remoteJid, remoteJidAlt, fromMe, id, participant, participantAlt, addressingMode } = key
    const other = addressingMode === 'lid' ? 'pn' : 'lid'
    const toOurselves = OURS.has(remoteJid)
    const ofOurs = fromMe && !participant && !toOurselves
    /** @type {Record<string, any>} */
    const attrs = {
        id, t: String(messageTimestamp), notify: pushName, category, participant: participant || undefined,
        addressing_mode: addressingMode,
        from: ofOurs ? jidNormalizedUser(ME.id) : remoteJid,
        recipient: ofOurs ? remoteJid : undefined,
        [`participant_${other}`]: participantAlt,
        [`${ofOurs ? 'peer_recipient' : 'sender'}_${other}`]: remoteJidAlt
    }
    return Object.fromEntries(Object.entries(attrs).filter(([, value]) => value !== undefined))
}

/** @param {any} message */
function paddedOf({ key, message }) {
    const content = proto.Message.fromObject(message)
    const wrapped = key.fromMe && !OURS.has(key.remoteJid)
        ? proto.Message.fromObject({ deviceSentMessage: { destinationJid: key.remoteJid, message: content } }) : content
    return Buffer.concat([proto.Message.encode(wrapped).finish(), Buffer.from([1])])
}

/** @param {any} message @returns {Entry[]} */
function decrypted(message) {
    const raw = paddedOf(message)
    const node = { tag: 'message', attrs: attrsOf(message), content: [] }
    const entries = plaintextEntries({ node, raw, form: 'padded', source: encSource(raw), me: ME })
    const [{ kind, payload }] = entries
    if (kind === 'message') assertTold(payload, message)
    return entries
}

/**
 * Putting it back into a stanza must have lost and invented nothing.
 * @param {any} payload @param {any} message
 */
function assertTold(payload, message) {
    const { category, ...told } = payload
    assert.equal(category, message.category)
    assert.deepEqual(told, webPayload(message))
}

/** @param {any} message which came so that it cannot be read @returns {Entry} */
function owed(message) {
    const type = message.key.isViewOnce ? 'view_once' : 'fanout'
    const content = [{ tag: 'unavailable', attrs: { type } }]
    const node = { tag: 'message', attrs: attrsOf(message), content }
    const { debt } = classify(node)
    assert.ok(debt)
    return debtEntry({ node, reason: debt, me: ME })
}

/** @param {any} message a stub of a group, which the engine made of a notification */
function notified({ key: { remoteJid, id, participant }, messageTimestamp }) {
    const attrs = { from: remoteJid, type: 'w:gp2', id, participant, t: String(messageTimestamp) }
    const node = { tag: 'notification', attrs, content: [] }
    const entry = stanzaEntry(node, ME)
    remember(derived, keyOfDerived(node, entry.payload))
    journaled.push(entry)
}

/** @param {Entry} notice what it points to, downloaded and cut as the bridge does */
async function imported({ source, raw, envelope }) {
    await new Promise(resolve => {
        const link = {
            log() {},
            async commit(/** @type {{entries?: Entry[]}} */ { entries = [] }) {
                journaled.push(...entries)
                if (entries.some(({ kind }) => kind === 'history-end')) resolve(undefined)
            }
        }
        const lidMapping = { async storeLIDPNMappings() {} }
        const sock = { signalRepository: { lidMapping }, authState: { keys: {} } }
        const queue = new HistoryQueue(/** @type {any} */ ({ link, me: () => ME, sock: () => sock }))
        queue.start()
        queue.add({ source, raw: Buffer.from(raw ?? '', 'base64'), envelope: envelope ?? {} })
    })
}

/** @param {any[]} messages the id of the request that some of them answer */
const answeredIn = messages => messages.map(({ message }) =>
    message?.protocolMessage?.peerDataOperationRequestResponseMessage?.stanzaId).find(Boolean)

/** @param {any} upsert */
async function upserted({ messages, type }) {
    const requestId = answeredIn(messages)
    for (const message of messages) {
        const isAnswer = requestId && !message.key.fromMe
        const isOurSend = type === 'append' && message.key.fromMe
        if (isAnswer) {
            ev.emit('messages.upsert', { messages: [message], type, requestId })
        } else if (!isOurSend) {
            await came(message)
        }
        if (!isAnswer) ev.emit('messages.upsert', { messages: [message], type })
    }
}

/** @param {any} message */
async function came(message) {
    if (message.message) {
        const entries = decrypted(message)
        journaled.push(...entries)
        for (const entry of entries) if (entry.kind === 'history-notice') await imported(entry)
    } else if (message.key.isViewOnce || message.messageStubType === CIPHERTEXT) {
        journaled.push(owed(message))
    } else {
        return notified(message)
    }
    seen.add(message.key.id)
}

/**
 * The receipt that these updates came from, if they did.
 * @param {any[]} updates of one moment
 */
function receipted(updates) {
    const [{ key, update, receipt }] = updates
    const type = receipt ? 'read' : RECEIPTS.get(update.status)
    if (!receipt && !RECEIPTS.has(update.status)) return
    const [id, ...others] = updates.map(each => each.key.id)
    const t = receipt?.readTimestamp ?? update.messageTimestamp
    const attrs = { from: key.remoteJid, participant: key.participant, id, t: String(t), type }
    const items = others.map(other => ({ tag: 'item', attrs: { id: other } }))
    /** @type {any} */
    const node = { tag: 'receipt', attrs, content: items.length ? [{ tag: 'list', attrs: {}, content: items }] : [] }
    journaled.push(stanzaEntry(node, ME))
}

/** @param {Row} row */
async function read({ label, event, data }) {
    journaled = []
    if (event === 'messages.upsert') {
        await upserted(data)
    } else {
        if (event === 'messages.update' || event === 'message-receipt.update') receipted(data)
        ev.emit(event, data)
    }
    return { label, event, entries: journaled }
}

for await (const line of createInterface({ input: process.stdin })) {
    if (line) process.stdout.write(`${JSON.stringify(await read(JSON.parse(line)))}\n`)
}
process.exit(0) // a history queue waits for more for ever
