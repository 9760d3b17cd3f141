/** What to do with a commit that is too large for a frame: it loses what is largest, and says so. */
import { MAX_FRAME_BYTES } from './frames.js'

// Room for the rest of the frame, its keys among it.
const ROOM = 1024 * 1024

/** @typedef {import('./entries.js').Entry} Entry */

/** @param {unknown} value */
const sizeOf = value => Buffer.byteLength(JSON.stringify(value) ?? '')

/** @type {((entry: Entry) => Entry)[]} first what can be read again from the bytes, then the bytes */
const LOSSES = [
    entry => ({ ...entry, payload: null, problem: 'too large' }),
    ({ raw: _raw, form: _form, ...entry }) => ({ ...entry, payload: null, problem: 'too large' })
]

/**
 * The same commit, small enough, or undefined if its entries are not what makes it large.
 * @param {import('./frames.js').Frame} frame
 * @param {number} [maxBytes]
 */
export function shrunk(frame, maxBytes = MAX_FRAME_BYTES - ROOM) {
    if (frame.t !== 'commit' || !frame.entries?.length) return undefined
    /** @type {Entry[]} */
    const entries = [...frame.entries]
    let total = sizeOf(frame)
    for (const lose of LOSSES) {
        const sizes = entries.map((entry, index) => ({ index, size: sizeOf(entry) })).sort((a, b) => b.size - a.size)
        for (const { index, size } of sizes) {
            if (total <= maxBytes) return { ...frame, entries }
            entries[index] = lose(entries[index])
            total -= size - sizeOf(entries[index])
        }
    }
    return total <= maxBytes ? { ...frame, entries } : undefined
}
