/**
 * Reads frames from a stream of bytes: splits lines, puts parts together, checks fields. Whatever the bytes are, out
 * come frames and named protocol errors, nothing else.
 */
import { MAX_FRAME_BYTES, MAX_LINE_BYTES } from './frames.js'
import { checkFrame, ProtocolError } from './check.js'

const NEWLINE = 10
const HEAD_BYTES = 1024
// Quotes inside a JSON string are escaped, so text that a sender chose cannot look like this key.
const ACCOUNT = /"account"\s*:\s*"([^"\\]{1,200})"/

/**
 * @typedef {object} Assembly
 * @property {string} of
 * @property {number} count
 * @property {string[]} texts
 * @property {number} bytes
 */

export class FrameReader {
    /** @type {Buffer[]} */
    #pieces = []
    #bytes = 0
    #skipping = false
    /** @type {Map<string, Assembly>} the frame that is being put together, by account */
    #assemblies = new Map()
    #onFrame
    #onError

    /** @param {{onFrame: (frame: any) => void, onError: (error: ProtocolError) => void}} to */
    constructor({ onFrame, onError }) {
        this.#onFrame = onFrame
        this.#onError = onError
    }

    /** @param {Buffer} chunk */
    push(chunk) {
        let start = 0
        for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
            this.#keep(chunk.subarray(start, end))
            this.#endOfLine()
        }
        this.#keep(chunk.subarray(start))
    }

    /** @param {Buffer} piece */
    #keep(piece) {
        if (this.#skipping || !piece.length) return
        this.#pieces.push(piece)
        this.#bytes += piece.length
        if (this.#bytes < MAX_LINE_BYTES) return
        this.#skipping = true
        this.#onError(new ProtocolError('too-long', { account: accountIn(Buffer.concat(this.#pieces)) }))
        this.#pieces = []
    }

    #endOfLine() {
        const line = this.#skipping ? null : Buffer.concat(this.#pieces)
        this.#pieces = []
        this.#bytes = 0
        this.#skipping = false
        if (line?.length) this.#line(line)
    }

    /** @param {Buffer} line */
    #line(line) {
        try {
            const frame = parse(line.toString('utf8'), () => accountIn(line))
            this.#inOrder(frame)
            if (frame.t === 'part') this.#part(frame)
            else this.#onFrame(frame)
        } catch (error) {
            if (!(error instanceof ProtocolError)) throw error
            this.#onError(error)
        }
    }

    /** @param {any} frame */
    #inOrder(frame) {
        const account = frame.account ?? ''
        const open = this.#assemblies.get(account)
        if (!open) return
        const fits = frame.t === 'part' && frame.of === open.of && frame.index === open.texts.length &&
            frame.count === open.count
        if (fits) return
        this.#assemblies.delete(account)
        throw new ProtocolError('bad-part', { account: frame.account })
    }

    /** @param {any} part */
    #part(part) {
        const account = part.account ?? ''
        /** @type {Assembly} */
        const open = this.#assemblies.get(account) ?? { of: part.of, count: part.count, texts: [], bytes: 0 }
        const bytes = open.bytes + Buffer.byteLength(part.text)
        if (part.index !== open.texts.length || bytes > MAX_FRAME_BYTES) {
            this.#assemblies.delete(account)
            throw new ProtocolError('bad-part', { account: part.account })
        }
        open.texts.push(part.text)
        open.bytes = bytes
        this.#assemblies.set(account, open)
        if (open.texts.length < open.count) return
        this.#assemblies.delete(account)
        const frame = parse(open.texts.join(''), () => part.account)
        if (frame.t === 'part' || (frame.account ?? '') !== account) {
            throw new ProtocolError('bad-part', { account: part.account })
        }
        this.#onFrame(frame)
    }
}

/**
 * @param {string} text
 * @param {() => string | undefined} account
 */
function parse(text, account) {
    let value
    try {
        value = JSON.parse(text)
    } catch {
        throw new ProtocolError('not-json', { account: account() })
    }
    return checkFrame(value)
}

/**
 * The account that a line which cannot be parsed names near its beginning.
 * @param {Buffer} line
 */
function accountIn(line) {
    return ACCOUNT.exec(line.subarray(0, HEAD_BYTES).toString('utf8'))?.[1]
}
