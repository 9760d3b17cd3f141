/** Messages as docs/frames.md has them: Baileys' field names, plain values. */
import {
    cleanMessage, decodeMessageNode, isJidGroup, normalizeMessageContent, proto, unpadRandomMax16
} from './engine.js'
import { isUs } from './identities.js'
import { base64, PROTO, tidy } from './tidy.js'

/** @typedef {import('./engine.js').Me} Me */

const KEY_FIELDS = /** @type {const} */ ([
    'remoteJid', 'remoteJidAlt', 'id', 'participant', 'participantAlt', 'addressingMode', 'isViewOnce'
])
const FIELDS = /** @type {const} */ ([
    'messageTimestamp', 'pushName', 'verifiedBizName', 'status', 'category', 'messageStubType', 'message', 'requestId',
    'revokeMessageTimestamp'
])
const LISTS = /** @type {const} */ (['messageStubParameters', 'reactions', 'userReceipt', 'pollUpdates'])

/**
 * A normalised message.
 * @param {any} full Baileys' message, its parts protobuf messages or not
 * @returns {Record<string, any>}
 */
export function messagePayload(full) {
    /** @type {Record<string, any>} */
    const payload = { key: keyPayload(full.key, full.participant) }
    for (const field of FIELDS) if (full[field] != null) payload[field] = full[field]
    for (const field of LISTS) if (full[field]?.length) payload[field] = full[field]
    if (full.broadcast) payload.broadcast = true
    return tidy(payload)
}

/**
 * @param {any} key
 * @param {string} [participant] where history keeps it for groups
 */
export function keyPayload(key, participant) {
    /** @type {Record<string, any>} */
    const out = { fromMe: Boolean(key?.fromMe) }
    for (const field of KEY_FIELDS) if (key?.[field]) out[field] = key[field]
    if (!out.participant && participant) out.participant = participant
    return tidy(out)
}

/**
 * A message of the form `web`, with the key fields that the protobuf has no room for.
 * @param {any} info
 */
export function webPayload(info) {
    const web = proto.WebMessageInfo.fromObject(info)
    const plain = proto.WebMessageInfo.toObject(web, PROTO)
    return messagePayload({ ...plain, key: { ...info.key, ...plain.key }, requestId: info.requestId })
}

/** @param {any} info */
export const webRaw = info => base64(proto.WebMessageInfo.encode(proto.WebMessageInfo.fromObject(info)).finish())

/**
 * What the attributes of a stanza say of its message. Throws when the engine could not make sense of them either.
 * @param {Record<string, string>} attrs
 * @param {Me | undefined} me
 */
export function headOf(attrs, me) {
    const { fullMessage } = decodeMessageNode({ tag: 'message', attrs }, me?.id ?? '', me?.lid ?? '')
    const { key } = fullMessage
    if (key.fromMe && !isJidGroup(key.remoteJid ?? '')) key.remoteJidAlt = otherNameOfChat(attrs, key, me)
    else if (key.participant && !isJidGroup(key.remoteJid ?? '')) nameAuthor(key)
    return fullMessage
}

/**
 * Of a status the engine takes the other name of its author for that of the chat.
 * @param {import('baileys').WAMessageKey} key
 */
function nameAuthor(key) {
    key.participantAlt ??= key.remoteJidAlt
    delete key.remoteJidAlt
}

/**
 * Of our own messages the engine takes the other name of the sender, who is us, for that of the chat.
 * @param {Record<string, string>} attrs
 * @param {import('baileys').WAMessageKey} key
 * @param {Me | undefined} me
 */
function otherNameOfChat(attrs, { remoteJid, remoteJidAlt, addressingMode }, me) {
    if (isUs(remoteJid, me)) return remoteJidAlt // notes to ourselves
    const name = addressingMode === 'lid'
        ? attrs.peer_recipient_pn || attrs.recipient_pn
        : attrs.peer_recipient_lid || attrs.recipient_lid
    return isUs(name, me) ? undefined : name
}

/**
 * The message in a decrypted (`padded`) or unencrypted (`message`) plaintext, as Baileys would build it. Throws.
 * @param {{raw: Uint8Array, form: string, envelope: Record<string, string>, me: Me | undefined}} of
 */
export function messageOf({ raw, form, envelope, me }) {
    const full = /** @type {any} */ (headOf(envelope, me))
    const message = proto.Message.decode(form === 'padded' ? unpadRandomMax16(raw) : raw)
    full.message = message.deviceSentMessage?.message || message
    if (envelope.verified_name) full.verifiedBizName = envelope.verified_name
    cleanMessage(full, me?.id ?? '', me?.lid ?? '')
    return full
}

/**
 * The history notice in a message, if it is one of our own phone: from anybody else it is a spoof and stays a message.
 * @param {any} full
 */
export function noticeOf(full) {
    const { HISTORY_SYNC_NOTIFICATION } = proto.Message.ProtocolMessage.Type
    const content = normalizeMessageContent(full.message)?.protocolMessage
    const isNotice = full.key.fromMe && content?.type === HISTORY_SYNC_NOTIFICATION
    return isNotice ? content.historySyncNotification : undefined
}

/**
 * @param {any} full
 * @param {import('baileys').proto.Message.IHistorySyncNotification} notice
 */
export function noticePayload(full, notice) {
    return tidy({
        key: keyPayload(full.key),
        syncType: notice.syncType ?? 0,
        chunkOrder: notice.chunkOrder,
        progress: notice.progress,
        session: notice.peerDataRequestSessionId || undefined,
        bytes: Number(notice.fileLength ?? 0) || notice.initialHistBootstrapInlinePayload?.length
    })
}

/**
 * The keys of app state that our own phone shares in a message, by their ids, oldest first.
 * @param {any} full
 * @returns {Record<string, any>}
 */
export function sharedKeysIn(full) {
    if (!full.key.fromMe) return {}
    const share = normalizeMessageContent(full.message)?.protocolMessage?.appStateSyncKeyShare
    return Object.fromEntries((share?.keys ?? [])
        .filter((/** @type {any} */ { keyId, keyData }) => keyId?.keyId?.length && keyData)
        .map((/** @type {any} */ { keyId, keyData }) => [Buffer.from(keyId.keyId).toString('base64'), keyData]))
}

/**
 * Messages that our phone sent again because we could not decrypt them.
 * @param {any} full
 * @returns {any[]}
 */
export function resentIn(full) {
    const { protocolMessage } = full.message ?? {}
    const response = full.key.fromMe ? protocolMessage?.peerDataOperationRequestResponseMessage : undefined
    const found = []
    for (const { placeholderMessageResendResponse: resent } of response?.peerDataOperationResult ?? []) {
        if (!resent?.webMessageInfoBytes) continue
        try {
            const web = proto.WebMessageInfo.decode(resent.webMessageInfoBytes)
            found.push(Object.assign(web, { requestId: response.stanzaId }))
        } catch {
            continue // the message that held it is in the journal, raw
        }
    }
    return found
}
