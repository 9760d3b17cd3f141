/**
 * Plain values for JSON, whatever comes in: no Buffer, no Long, no lone surrogate, nothing null, nothing nested deeper
 * than every reader can follow.
 */
const MAX_DEPTH = 64

export class TooDeep extends Error {
    name = 'TooDeep'
    message = 'nested too deeply'
}

/**
 * Throws TooDeep. What JSON has no words for (functions, NaN) is left out.
 * @param {any} value
 * @param {number} [depth]
 * @returns {any}
 */
export function tidy(value, depth = 0) {
    switch (typeof value) {
        case 'string': return value.toWellFormed()
        case 'boolean': return value
        case 'number': return tidyNumber(value)
        case 'bigint': return tidyNumber(Number(value))
        case 'object': return value === null ? undefined : tidyObject(value, depth)
        default: return undefined
    }
}

/** @param {number} value */
function tidyNumber(value) {
    if (!Number.isFinite(value)) return undefined
    // A number of an id that JavaScript cannot hold exactly is no number to reckon with.
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? String(value) : value
}

/**
 * @param {any} value
 * @param {number} depth
 */
function tidyObject(value, depth) {
    if (depth > MAX_DEPTH) throw new TooDeep()
    if (value instanceof Uint8Array) return base64(value)
    if (value instanceof Date) return tidyNumber(value.getTime())
    if (value instanceof Error) return { error: value.message.toWellFormed() }
    if (isLong(value)) return tidyNumber(Number(value.toString()))
    if (Array.isArray(value)) return value.map(each => tidy(each, depth + 1) ?? null)
    const toObject = value.constructor?.toObject
    const source = typeof toObject === 'function' ? toObject(value, PROTO) : value
    /** @type {Record<string, any>} */
    const out = {}
    for (const [key, each] of Object.entries(source)) {
        const plain = tidy(each, depth + 1)
        if (plain !== undefined) out[key.toWellFormed()] = plain
    }
    return out
}

/** How protobuf messages become objects. */
export const PROTO = { longs: Number, bytes: String }

/** @param {Uint8Array} bytes */
export const base64 = bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')

/** @param {any} value */
const isLong = value => typeof value.low === 'number' && typeof value.high === 'number' && 'unsigned' in value
