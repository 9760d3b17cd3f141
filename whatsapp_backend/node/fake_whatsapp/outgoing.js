/** A message on its way to a linked device: its stanza, its encryption, and its place in the queue. */
import { encodeWAMessage, proto } from 'baileys'
import { node } from './nodes.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./companion.js').Companion} Companion */
/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('./person.js').Group} Group */

/**
 * @typedef {{
 *   id: string, time: number, sender: Person, chat: Person | Group, fromMe: boolean,
 *   addressing: 'pn' | 'lid', alt: boolean, message: proto.IMessage,
 *   encryption: 'signal' | 'plaintext' | 'none' | 'sender-key',
 *   unavailable?: string, corrupt?: boolean, peer?: boolean,
 *   attrs?: Record<string, string>, stanza?: BinaryNode
 * }} Outgoing
 */

/** @param {Person | Group} chat @returns {chat is Group} */
export function isGroupChat(chat) {
    return 'members' in chat
}

/** @param {Outgoing} outgoing */
function addresses(outgoing) {
    const { sender, chat, addressing, alt, fromMe, peer } = outgoing
    /** @param {string} name @param {Person} person */
    const known = (name, person) => alt ? person.other(name, addressing) : {}
    if (isGroupChat(chat)) {
        return { from: chat.id, participant: sender.as(addressing), addressing_mode: addressing,
            ...known('participant', sender) }
    }
    if (peer) return { from: sender.as(addressing), category: 'peer' }
    if (fromMe) {
        return { from: sender.as(addressing), recipient: chat.as(addressing), ...known('peer_recipient', chat) }
    }
    return { from: sender.as(addressing), ...known('sender', sender) }
}

const STANZA_TYPES = /** @type {const} */ ([
    ['media', 'imageMessage'], ['media', 'videoMessage'], ['media', 'audioMessage'], ['media', 'documentMessage'],
    ['media', 'stickerMessage'], ['reaction', 'reactionMessage'], ['poll', 'pollCreationMessage'],
    ['poll', 'pollCreationMessageV2'], ['poll', 'pollCreationMessageV3'], ['poll', 'pollUpdateMessage']
])

/** @param {proto.IMessage} message */
function stanzaType(message) {
    return STANZA_TYPES.find(([, field]) => message[field])?.[0] ?? 'text'
}

/** @param {Outgoing} outgoing what is put into the envelope */
function sealed(outgoing) {
    const { fromMe, peer, chat, message } = outgoing
    if (!fromMe || peer || isGroupChat(chat)) return message
    return { deviceSentMessage: { destinationJid: chat.as(outgoing.addressing), message } }
}

/** @param {Buffer} ciphertext */
function spoil(ciphertext) {
    const spoiled = Buffer.from(ciphertext)
    spoiled[spoiled.length - 1] ^= 0xff
    return spoiled
}

/**
 * @param {Outgoing} outgoing @param {Companion} companion @param {proto.IMessage} message
 * @param {Record<string, string>} [extra]
 */
async function pairwise(outgoing, companion, message, extra = {}) {
    const { phone } = outgoing.sender
    const peer = companion.address
    if (!phone.hasSession(peer)) await phone.startSession(peer, companion.takeBundle())
    const { type, ciphertext } = await phone.encrypt(peer, encodeWAMessage(message))
    return node('enc', { v: 2, type, ...extra }, outgoing.corrupt ? spoil(ciphertext) : ciphertext)
}

/** Which sender keys a device has. @type {WeakMap<Companion, Set<string>>} */
const keysKnown = new WeakMap()

/** A client files a key under the identity that it came from. @param {Outgoing} outgoing */
const keyName = ({ sender, chat, addressing }) =>
    isGroupChat(chat) ? [sender.number, addressing, sender.phone.rotation(chat.id), chat.id].join(' ') : ''

/** @param {Outgoing} outgoing @returns {Promise<proto.IMessage>} the sender's key of a group, as a message */
async function distribution({ sender, chat }) {
    if (!isGroupChat(chat)) return {}
    const bytes = await sender.phone.distribution(chat.id, sender.address)
    return { senderKeyDistributionMessage: { groupId: chat.id, axolotlSenderKeyDistributionMessage: bytes } }
}

/**
 * The device has read a message, and with it what it brought.
 * @param {Companion} companion @param {string} id
 */
export function wasRead(companion, id) {
    const outgoing = companion.sent.get(id)
    if (!outgoing) return
    outgoing.sender.phone.answered.add(companion.address)
    const known = keysKnown.get(companion) ?? new Set()
    keysKnown.set(companion, known.add(outgoing.brings))
}

/** @param {Outgoing} outgoing @param {Companion} companion @returns {Promise<BinaryNode[]>} */
async function withSenderKey(outgoing, companion) {
    const { sender, chat } = outgoing
    if (!isGroupChat(chat)) throw new Error('sender keys are for groups')
    const known = keysKnown.get(companion)?.has(keyName(outgoing))
    const nodes = known
        ? [] : [await pairwise({ ...outgoing, corrupt: false }, companion, await distribution(outgoing))]
    const bytes = encodeWAMessage(sealed(outgoing))
    const ciphertext = await sender.phone.encryptForGroup(chat.id, sender.address, bytes)
    return [...nodes, node('enc', { v: 2, type: 'skmsg' }, outgoing.corrupt ? spoil(ciphertext) : ciphertext)]
}

/** @param {Outgoing} outgoing @param {Companion} companion @returns {Promise<BinaryNode[]>} */
async function body(outgoing, companion) {
    switch (outgoing.encryption) {
        case 'plaintext': return [node('plaintext', {}, proto.Message.encode(outgoing.message).finish())]
        case 'none': return [node('unavailable', { type: outgoing.unavailable })]
        case 'sender-key': return withSenderKey(outgoing, companion)
        default: return [await pairwise(outgoing, companion, sealed(outgoing))]
    }
}

/** @param {Outgoing} outgoing @param {BinaryNode[]} content */
function stanzaOf(outgoing, content) {
    const { id, time, sender, fromMe, peer, message, attrs } = outgoing
    return node('message', {
        ...addresses(outgoing), id, t: time, type: stanzaType(message),
        notify: peer || fromMe ? undefined : sender.name, ...attrs
    }, content)
}

/** @param {Companion} companion @param {BinaryNode} stanza */
export function enqueue(companion, stanza) {
    const entry = companion.queue.push(stanza)
    companion.connection?.delivery.added(entry)
}

/** For every device of an account. @param {Person} account @param {BinaryNode} stanza */
export function enqueueForAll(account, stanza) {
    for (const companion of account.devices()) enqueue(companion, stanza)
}

/**
 * Encrypt for one device and put it into its queue. @param {Companion} companion @param {Outgoing} outgoing
 * @returns {Promise<number>} when (wall clock, ms): with a live connection that is when it goes out
 */
export async function deliver(companion, outgoing) {
    return companion.serially(async () => {
        const stanza = stanzaOf(outgoing, await body(outgoing, companion))
        const brings = outgoing.encryption === 'sender-key' ? keyName(outgoing) : ''
        companion.sent.set(outgoing.id, { ...outgoing, stanza, brings })
        const at = Date.now()
        enqueue(companion, stanza)
        return at
    })
}

/**
 * Encrypt once more in a new session, for this device alone even in a group, and send it under the same id.
 * @param {Companion} companion @param {Outgoing} outgoing
 * @param {import('./endpoint.js').Bundle} bundle @param {number} count
 */
export async function deliverAgain(companion, outgoing, bundle, count) {
    await companion.serially(async () => {
        await outgoing.sender.phone.startSession(companion.address, bundle)
        const again = { ...outgoing, corrupt: false }
        const key = outgoing.encryption === 'sender-key' ? await distribution(again) : {}
        const enc = await pairwise(again, companion, { ...sealed(again), ...key }, { count: String(count) })
        enqueue(companion, stanzaOf(again, [enc]))
    })
}
