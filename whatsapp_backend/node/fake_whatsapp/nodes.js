/** Making and reading binary nodes. */

/** @typedef {import('baileys').BinaryNode} BinaryNode */

/**
 * A node; attributes that are undefined are left out.
 * @param {string} tag
 * @param {Record<string, string | number | undefined>} [attrs]
 * @param {BinaryNode[] | string | Uint8Array} [content]
 * @returns {BinaryNode}
 */
export function node(tag, attrs = {}, content = undefined) {
    /** @type {Record<string, string>} */
    const kept = {}
    for (const [name, value] of Object.entries(attrs)) {
        if (value !== undefined) kept[name] = String(value)
    }
    return { tag, attrs: kept, content }
}

/** @param {BinaryNode} parent @returns {BinaryNode[]} */
export function children(parent) {
    return Array.isArray(parent.content) ? parent.content : []
}

/** @param {BinaryNode | undefined} parent @param {string} tag @returns {BinaryNode | undefined} */
export function child(parent, tag) {
    return parent && children(parent).find(each => each.tag === tag)
}

/** @param {BinaryNode | undefined} parent @param {string} tag @returns {Buffer | undefined} */
export function childBytes(parent, tag) {
    const content = child(parent, tag)?.content
    return content instanceof Uint8Array ? Buffer.from(content) : undefined
}

/** @param {BinaryNode | undefined} parent @param {string} tag @returns {number | undefined} */
export function childNumber(parent, tag) {
    const bytes = childBytes(parent, tag)
    return bytes && bytes.readUIntBE(0, bytes.length)
}

/**
 * A node as tests write it down: content is a list, a text or {b: base64}.
 * @param {any} json
 * @returns {BinaryNode}
 */
export function fromJson(json) {
    const { tag, attrs, content } = json
    if (typeof tag !== 'string') throw new Error('a node needs a tag')
    if (Array.isArray(content)) return node(tag, attrs, content.map(fromJson))
    if (content && typeof content === 'object') return node(tag, attrs, Buffer.from(content.b, 'base64'))
    return node(tag, attrs, content ?? undefined)
}

/** @param {BinaryNode} source @returns {any} */
export function toJson(source) {
    const { tag, attrs, content } = source
    if (Array.isArray(content)) return { tag, attrs, content: content.map(toJson) }
    if (content instanceof Uint8Array) return { tag, attrs, content: { b: Buffer.from(content).toString('base64') } }
    return content === undefined ? { tag, attrs } : { tag, attrs, content }
}
