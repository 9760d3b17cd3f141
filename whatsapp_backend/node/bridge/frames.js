/**
 * Writes frames as lines. The only place that touches standard output.
 *
 * A line is at most 1 MiB; a longer frame goes out as parts, with nothing between them. When the pipe is full, lines
 * wait here, in their order.
 */
export const MAX_LINE_BYTES = 1024 * 1024
export const MAX_FRAME_BYTES = 32 * 1024 * 1024

// A UTF-16 unit takes at most 3 bytes when it is written as JSON text a second time (a quote or backslash takes 2).
const PART_UNITS = 300_000

/** @typedef {Record<string, any> & {t: string, account?: string}} Frame */

export class FrameTooLarge extends Error {
    name = 'FrameTooLarge'
}

/**
 * The lines that carry one frame, each with its newline.
 * @param {Frame} frame
 * @param {() => string} nextPartId
 * @returns {string[]}
 */
export function linesOf(frame, nextPartId) {
    const text = JSON.stringify(frame)
    if (text.length * 3 < MAX_LINE_BYTES) return [`${text}\n`]
    const bytes = Buffer.byteLength(text)
    if (bytes < MAX_LINE_BYTES) return [`${text}\n`]
    if (bytes > MAX_FRAME_BYTES) throw new FrameTooLarge(frame.t)
    const texts = piecesOf(text)
    const of = nextPartId()
    return texts.map((piece, index) => {
        const part = { t: 'part', account: frame.account, of, index, count: texts.length, text: piece }
        return `${JSON.stringify(part)}\n`
    })
}

/**
 * Cut text without cutting a surrogate pair: half of one is no character, and not every language glues them together.
 * @param {string} text
 */
function piecesOf(text) {
    const pieces = []
    for (let start = 0; start < text.length;) {
        let end = Math.min(start + PART_UNITS, text.length)
        const last = text.charCodeAt(end - 1)
        if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1
        pieces.push(text.slice(start, end))
        start = end
    }
    return pieces
}

export class FrameWriter {
    /** @type {string[]} */
    #waiting = []
    #full = false
    #parts = 0
    /** @type {import('node:stream').Writable} */
    #stream

    /** @param {import('node:stream').Writable} stream */
    constructor(stream) {
        this.#stream = stream
        stream.on('drain', () => {
            this.#full = false
            this.#send()
        })
    }

    /**
     * Send a frame. Throws FrameTooLarge above 32 MiB.
     * @param {Frame} frame
     */
    write(frame) {
        this.#waiting.push(...linesOf(frame, () => `p${++this.#parts}`))
        this.#send()
    }

    /**
     * Call back when everything written so far has left the process.
     * @param {() => void} done
     */
    flushed(done) {
        this.#full = false
        this.#send(Infinity)
        this.#stream.write('', () => done())
    }

    #send(limit = 0) {
        while (this.#waiting.length && !this.#full) {
            const line = /** @type {string} */ (this.#waiting.shift())
            this.#full = !this.#stream.write(line) && limit === 0
        }
    }
}
