/** Binary nodes as JSON, and what can be told from one without decrypting it. */
import { createHash } from 'node:crypto'
import { base64 } from './tidy.js'

/** @typedef {import('./engine.js').BinaryNode} BinaryNode */

const KNOWN_ENC = new Set(['pkmsg', 'msg', 'skmsg'])

/** @param {(string | Uint8Array)[]} parts */
export function sha256(...parts) {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest('hex')
}

/** @param {Uint8Array} ciphertext */
export const encSource = ciphertext => `enc:${sha256(ciphertext)}`

/**
 * A node as JSON; attributes in a fixed order, so that the same stanza always gives the same text.
 * @param {BinaryNode} node
 * @returns {Record<string, any>}
 */
export function toJson({ tag, attrs, content }) {
    return { tag, attrs: Object.fromEntries(Object.entries(attrs ?? {}).sort()), content: contentToJson(content) }
}

/** @param {BinaryNode['content']} content */
function contentToJson(content) {
    if (content instanceof Uint8Array) return { b: base64(content) }
    return Array.isArray(content) ? content.map(toJson) : content
}

/**
 * @param {any} json
 * @returns {BinaryNode}
 */
export function fromJson({ tag, attrs, content }) {
    return { tag: String(tag), attrs: attrs ?? {}, content: contentFromJson(content) }
}

/**
 * @param {any} content
 * @returns {BinaryNode['content']}
 */
function contentFromJson(content) {
    if (Array.isArray(content)) return content.map(fromJson)
    return typeof content?.b === 'string' ? Buffer.from(content.b, 'base64') : content
}

/**
 * The same for a stanza and for its redelivery, which differs in the `offline` attribute.
 * @param {BinaryNode} node
 */
export function stanzaHash(node) {
    const attrs = { ...node.attrs }
    delete attrs.offline
    return sha256(JSON.stringify(toJson({ ...node, attrs })))
}

/**
 * What tells two stanzas apart that hold the same ciphertext (an empty one, for instance).
 * @param {Record<string, string>} attrs
 */
export const addressOf = ({ from, participant, id }) => JSON.stringify([from ?? '', participant ?? '', id ?? ''])

/**
 * @param {BinaryNode} node
 * @param {string} [tag]
 * @returns {BinaryNode[]}
 */
export function children(node, tag) {
    const all = Array.isArray(node.content) ? node.content : []
    return tag ? all.filter(child => child.tag === tag) : all
}

/**
 * Codes for pairing that hold nothing: the engine falls over them a minute later, and the process with it.
 * @param {BinaryNode} node
 */
export function dropEmptyRefs(node) {
    for (const pairing of children(node, 'pair-device')) {
        pairing.content = children(pairing).filter(({ tag, content }) => tag !== 'ref' || content?.length)
    }
}

/** @param {BinaryNode} node */
export const isOffline = node => node.attrs.offline !== undefined

/** @typedef {'undecryptable' | 'unavailable' | 'absent' | 'unreadable'} DebtReason */

/**
 * What a message stanza holds, as the engine will see it: ciphertexts that it decrypts, plaintexts, and the reason if
 * something of it will never become a message.
 * @param {BinaryNode} node
 * @returns {{ciphertexts: Uint8Array[], plaintexts: Uint8Array[], debt?: DebtReason}}
 */
export function classify(node) {
    const withBytes = children(node).filter(child => child.content instanceof Uint8Array)
    const bytesOf = (/** @type {BinaryNode} */ child) => /** @type {Uint8Array} */ (child.content)
    const enc = withBytes.filter(child => child.tag === 'enc')
    // The engine drops the whole stanza when its first `enc` is a bot's.
    if (children(node, 'enc')[0]?.attrs.type === 'msmsg') return { ciphertexts: [], plaintexts: [], debt: 'unreadable' }
    const ciphertexts = enc.filter(child => KNOWN_ENC.has(child.attrs.type)).map(bytesOf)
    const plaintexts = withBytes.filter(child => child.tag === 'plaintext').map(bytesOf)
    if (ciphertexts.length < enc.length) return { ciphertexts, plaintexts, debt: 'unreadable' }
    if (ciphertexts.length || plaintexts.length) return { ciphertexts, plaintexts }
    return { ciphertexts, plaintexts, debt: children(node, 'unavailable').length ? 'unavailable' : 'absent' }
}
