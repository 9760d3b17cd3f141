/** One WebSocket as length-prefixed frames, and as binary nodes once the handshake is over. */
import { decodeBinaryNode, encodeBinaryNode } from 'baileys'

/** @typedef {import('baileys').BinaryNode} BinaryNode */

/** @param {Buffer} bytes the length of what comes before the first frame, or -1 when it is not all there yet */
function introLength(bytes) {
    if (bytes.length < 4) return -1
    if (bytes.toString('latin1', 0, 2) !== 'ED') return 4
    if (bytes.length < 7) return -1
    const routing = 7 + (bytes[4] << 16) + bytes.readUInt16BE(5)
    return bytes.length < routing + 4 ? -1 : routing + 4
}

export class Wire {
    /**
     * @param {import('ws').WebSocket} socket
     * @param {import('./noise.js').ServerNoise} noise
     * @param {(frame: Buffer | BinaryNode) => Promise<void>} onFrame called in order, one at a time
     * @param {(reason: string) => void} onClose
     */
    constructor(socket, noise, onFrame, onClose) {
        this.socket = socket
        this.noise = noise
        this.onFrame = onFrame
        this.pending = Buffer.alloc(0)
        this.introduced = false
        this.closed = false
        this.work = Promise.resolve()
        socket.on('message', data => {
            this.work = this.work.then(() => this.#take(/** @type {Buffer} */ (data))).catch(error => {
                this.terminate()
                onClose(`bad frame: ${error.message}`)
            })
        })
        socket.on('error', () => {})
        socket.on('close', () => {
            this.closed = true
            onClose('closed')
        })
    }

    /** @param {Buffer} data */
    async #take(data) {
        this.pending = Buffer.concat([this.pending, data])
        if (!this.introduced) {
            const intro = introLength(this.pending)
            if (intro < 0) return
            this.introduced = true
            this.pending = this.pending.subarray(intro)
        }
        while (this.pending.length >= 3 && !this.closed) {
            const end = 3 + this.pending.readUIntBE(0, 3)
            if (this.pending.length < end) return
            const frame = this.pending.subarray(3, end)
            this.pending = this.pending.subarray(end)
            if (this.noise.transport) {
                await this.onFrame(await decodeBinaryNode(Buffer.from(this.noise.decrypt(frame))))
            } else {
                await this.onFrame(frame)
            }
        }
    }

    /** @param {Uint8Array} body a handshake message, not encrypted */
    sendFrame(body) {
        const length = Buffer.alloc(3)
        length.writeUIntBE(body.length, 0, 3)
        this.sendBytes(Buffer.concat([length, body]))
    }

    /** @param {BinaryNode} node */
    sendNode(node) {
        if (this.closed) return
        this.sendFrame(this.noise.encrypt(encodeBinaryNode(node)))
    }

    /** @param {Uint8Array} bytes anything at all */
    sendBytes(bytes) {
        if (!this.closed && this.socket.readyState === this.socket.OPEN) this.socket.send(bytes)
    }

    /** End it as a broken network would: no goodbye, and nothing that is still unread is looked at. */
    terminate() {
        this.closed = true
        this.socket.terminate()
    }

    close() {
        this.closed = true
        this.socket.close(1000)
    }
}
