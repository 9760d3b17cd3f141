/** What goes into the journal. Nothing here throws: what cannot be read becomes an entry that says so. */
import { proto } from './engine.js'
import { bare } from './identities.js'
import {
    headOf, keyPayload, messageOf, messagePayload, noticeOf, noticePayload, resentIn, webPayload, webRaw
} from './messages.js'
import { addressOf, children, classify, isOffline, sha256, stanzaHash, toJson } from './stanzas.js'
import { base64, tidy } from './tidy.js'
import { isTold, told } from './told.js'

/** @typedef {import('./engine.js').BinaryNode} BinaryNode */
/** @typedef {import('./engine.js').Me} Me */

/**
 * @typedef {object} Entry
 * @property {string} kind
 * @property {string} source
 * @property {string} origin
 * @property {number} at
 * @property {Record<string, any> | null} payload
 * @property {string} [problem]
 * @property {string} [raw]
 * @property {string} [form]
 * @property {Record<string, string>} [envelope]
 */

/**
 * @param {() => Record<string, any>} read
 * @returns {{payload: Record<string, any> | null, problem?: string}}
 */
function attempt(read) {
    try {
        return { payload: read() }
    } catch (error) {
        return { payload: null, problem: error instanceof Error ? error.message.slice(0, 200) : 'unreadable' }
    }
}

/** @param {BinaryNode} node */
const originOf = node => (isOffline(node) ? 'offline' : 'live')

/**
 * The attributes of a stanza, and the one thing in it beside them that a message carries.
 * @param {BinaryNode} node
 */
export function envelopeOf(node) {
    const envelope = tidy(node.attrs)
    const [certificate] = children(node, 'verified_name')
    if (!(certificate?.content instanceof Uint8Array)) return envelope
    try {
        const verifiedName = verifiedNameIn(certificate.content)
        return verifiedName ? tidy({ ...envelope, verified_name: verifiedName }) : envelope
    } catch {
        return envelope
    }
}

/**
 * Why the engine will refuse a message stanza before it decrypts anything, if it will.
 * @param {BinaryNode} node
 * @param {Me | undefined} me
 */
export function whyRefused(node, me) {
    try {
        headOf(node.attrs, me)
        for (const { content } of children(node, 'verified_name')) {
            if (content instanceof Uint8Array) verifiedNameIn(content)
        }
        return undefined
    } catch (error) {
        return error instanceof Error ? error.message : 'unreadable'
    }
}

/** @param {Uint8Array} certificate */
function verifiedNameIn(certificate) {
    const { details } = proto.VerifiedNameCertificate.decode(certificate)
    return proto.VerifiedNameCertificate.Details.decode(/** @type {Uint8Array} */ (details)).verifiedName
}

/**
 * A plaintext, by itself: its kind and payload. What `decode` answers, too.
 * @param {{raw: Uint8Array, form: string, envelope: Record<string, string>, me: Me | undefined}} of
 */
export function readPlaintext(of) {
    let kind = 'message'
    /** @type {any[]} */
    let resent = []
    const { payload, problem } = attempt(() => {
        const full = messageOf(of)
        const notice = noticeOf(full)
        resent = resentIn(full)
        if (!notice) return messagePayload(full)
        kind = 'history-notice'
        return noticePayload(full, notice)
    })
    return { kind, payload, problem, resent }
}

/**
 * The entries of a plaintext: itself, and the messages that our phone sent again inside it.
 * @param {{node: BinaryNode, raw: Uint8Array, form: 'padded' | 'message', source: string, me: Me | undefined}} of
 * @returns {Entry[]}
 */
export function plaintextEntries({ node, raw, form, source, me }) {
    const envelope = envelopeOf(node)
    const { kind, payload, problem, resent } = readPlaintext({ raw, form, envelope, me })
    const at = Date.now()
    return [
        { kind, source, origin: originOf(node), at, payload, problem, raw: base64(raw), form, envelope },
        ...resent.map(web => webEntry(web, { source: resentSource(web), origin: 'resend' }))
    ]
}

/** @param {any} web */
function resentSource(web) {
    try {
        return plainSource(web.key, webRaw(web))
    } catch {
        return plainSource(web.key, `resent ${web.requestId}`)
    }
}

/**
 * @param {any} key
 * @param {string | Uint8Array} content
 */
const plainSource = (key, content) => {
    const head = [key?.remoteJid ?? '', key?.participant ?? '', key?.id ?? '']
    return `plain:${sha256(`${JSON.stringify(head)}\n`, content)}`
}

/**
 * @param {BinaryNode} node
 * @param {Uint8Array} content
 */
export function unencryptedSource({ attrs }, content) {
    return plainSource({ remoteJid: attrs.from, participant: attrs.participant, id: attrs.id }, content)
}

/**
 * A message of the form `web`.
 * @param {any} info
 * @param {{source: string, origin: string}} where
 * @returns {Entry}
 */
export function webEntry(info, { source, origin }) {
    const { payload, problem } = attempt(() => webPayload(info))
    const entry = { kind: 'message', source, origin, at: Date.now(), payload, problem }
    try {
        return { ...entry, raw: webRaw(info), form: 'web' }
    } catch {
        return entry
    }
}

/**
 * The stanza itself, however deep it is.
 * @param {BinaryNode} node
 */
function stanzaRaw(node) {
    const wellFormed = (/** @type {string} */ _, /** @type {any} */ value) =>
        (typeof value === 'string' ? value.toWellFormed() : value)
    try {
        return { raw: base64(Buffer.from(JSON.stringify(toJson(node), wellFormed))), form: 'stanza' }
    } catch {
        return { payload: null, problem: 'a stanza that cannot be written down' }
    }
}

/** @param {BinaryNode} node */
function hashOf(node) {
    try {
        return stanzaHash(node)
    } catch {
        return stanzaHash({ ...node, content: undefined })
    }
}

/**
 * A message that we owe: it came, but not so that it could be read.
 * @param {{node: BinaryNode, reason: import('./stanzas.js').DebtReason, detail?: string, ciphertext?: Uint8Array,
 *     me: Me | undefined}} of
 * @returns {Entry}
 */
export function debtEntry({ node, reason, detail, ciphertext, me }) {
    const source = `debt:${ciphertext ? sha256(`${addressOf(node.attrs)}\n`, ciphertext) : hashOf(node)}`
    const { payload, problem } = attempt(() => debtPayload(node, { reason, detail, me }))
    return { kind: 'debt', source, origin: originOf(node), at: Date.now(), payload, problem, ...stanzaRaw(node) }
}

/**
 * @param {BinaryNode} node
 * @param {{reason: string, detail?: string, me: Me | undefined}} of
 */
function debtPayload({ attrs, content }, { reason, detail, me }) {
    let head
    try {
        head = headOf(attrs, me)
    } catch {
        if (!attrs.id || !attrs.from) throw new Error('a message stanza without id or sender')
        head = { key: { remoteJid: attrs.from, id: attrs.id, participant: attrs.participant }, pushName: attrs.notify }
    }
    const unavailable = children({ tag: '', attrs, content }, 'unavailable')
    const viewOnce = unavailable.some(child => child.attrs.type === 'view_once')
    /** @type {any} */
    const key = { ...head.key, isViewOnce: viewOnce }
    key.remoteJid = bare(key.remoteJid)
    key.participant = bare(key.participant)
    return tidy({
        key: keyPayload(key),
        messageTimestamp: Number(attrs.t) || 0,
        pushName: head.pushName || undefined,
        reason,
        detail: detail?.slice(0, 200)
    })
}

/**
 * A receipt, a notification or a call.
 * @param {BinaryNode} node
 * @param {Me | undefined} me
 * @returns {Entry}
 */
export function stanzaEntry(node, me) {
    const { payload, problem } = attempt(() => tidy(told(node, me)))
    const source = `${node.tag}:${hashOf(node)}`
    return { kind: node.tag, source, origin: originOf(node), at: Date.now(), payload, problem, ...stanzaRaw(node) }
}

/**
 * The payload of any stanza that is kept whole.
 * @param {BinaryNode} node
 * @param {Me | undefined} me
 */
export function readStanza(node, me) {
    if (isTold(node)) return tidy(told(node, me))
    return debtPayload(node, { reason: classify(node).debt ?? 'undecryptable', me })
}

/**
 * @param {string} event
 * @param {unknown} data
 * @param {string} source
 * @returns {Entry}
 */
export function updateEntry(event, data, source) {
    const { payload, problem } = attempt(() => tidy({ event, data }))
    return { kind: 'update', source, origin: 'derived', at: Date.now(), payload, problem }
}
