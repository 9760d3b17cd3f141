/** The media host: encrypted blobs under direct paths, and what can go wrong when they are fetched. */
import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { hkdf } from 'baileys'

/**
 * `cut`: break the connection after so many bytes. `truncate`: a whole answer, but only so many bytes of the blob.
 * `spoil`: the right length, wrong bytes.
 * @typedef {{kind?: string, path?: string, status?: number, delay_ms?: number, cut?: number, truncate?: number,
 *   spoil?: boolean, times: number}} CdnFault
 */

export class Cdn {
    constructor() {
        /** @type {Map<string, {kind: string, bytes: Buffer, gets: number}>} */
        this.blobs = new Map()
        /** @type {CdnFault[]} */
        this.faults = []
    }

    /**
     * Encrypt as WhatsApp does (AES-CBC, ten bytes of HMAC) and keep it.
     * @param {string} kind `History`, `Image`, `Video`, `Audio` or `Document`
     * @param {Buffer} plaintext
     */
    store(kind, plaintext) {
        const mediaKey = randomBytes(32)
        const keys = hkdf(mediaKey, 112, { info: `WhatsApp ${kind} Keys` })
        const iv = keys.subarray(0, 16)
        const cipher = createCipheriv('aes-256-cbc', keys.subarray(16, 48), iv)
        const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
        const mac = createHmac('sha256', keys.subarray(48, 80)).update(iv).update(body).digest().subarray(0, 10)
        const bytes = Buffer.concat([body, mac])
        const directPath = `/v/t62/${kind.toLowerCase()}-${this.blobs.size + 1}.enc`
        this.blobs.set(directPath, { kind, bytes, gets: 0 })
        return {
            mediaKey,
            directPath,
            fileSha256: createHash('sha256').update(plaintext).digest(),
            fileEncSha256: createHash('sha256').update(bytes).digest(),
            fileLength: plaintext.length
        }
    }

    /** @param {string} path @param {string} kind */
    #fault(path, kind) {
        const fault = this.faults.find(each => each.times > 0 && (!each.path || each.path === path) &&
            (!each.kind || each.kind.toLowerCase() === kind.toLowerCase()))
        if (fault) fault.times -= 1
        return fault
    }

    /**
     * @param {string} path @param {import('node:http').ServerResponse} response
     * @returns {Promise<{path: string, status: number} | undefined>} undefined when it is not one of ours
     */
    async serve(path, response) {
        const blob = this.blobs.get(path)
        if (!blob) return undefined
        blob.gets += 1
        const fault = this.#fault(path, blob.kind)
        if (fault?.delay_ms) await pause(fault.delay_ms)
        const status = fault?.status ?? 200
        if (status !== 200) {
            response.writeHead(status).end()
        } else {
            const whole = fault?.spoil ? Buffer.from(blob.bytes).fill(0x2a, 0, 16) : blob.bytes
            const announced = whole.subarray(0, fault?.truncate)
            response.writeHead(200, { 'content-length': announced.length })
            response.write(announced.subarray(0, fault?.cut), () => {
                if (fault?.cut === undefined) response.end()
                else response.destroy()
            })
        }
        return { path, status }
    }
}
