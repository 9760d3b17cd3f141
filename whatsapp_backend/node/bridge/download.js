/** Downloads what a history notice points to, and unpacks no more of it than it may. */
import { Readable } from 'node:stream'
import { createInflate } from 'node:zlib'
import { downloadContentFromMessage, proto } from './engine.js'

export const MAX_HISTORY_BYTES = 128 * 1024 * 1024
const STALL_MS = 60_000

export class TooLarge extends Error {
    name = 'TooLarge'
    message = 'the history chunk is too large'
}

/** What came can never be read, however often it is downloaded. */
export class Undecodable extends Error {
    name = 'Undecodable'
}

const FINAL_STATUS = new Set([400, 404, 410]) // 400: the engine found no address in the notice

/**
 * Whether there is no use in trying again: everything else is the network's fault, and passes.
 * @param {any} error
 */
export const isFinal = error => error instanceof TooLarge || error instanceof Undecodable ||
    FINAL_STATUS.has(error?.output?.statusCode)

/**
 * @param {import('baileys').proto.Message.IHistorySyncNotification} notice
 * @param {{maxBytes?: number, signal?: AbortSignal, open?: typeof openStream}} [options]
 * @returns {Promise<import('baileys').proto.HistorySync>}
 */
export async function downloadHistory(notice, { maxBytes = MAX_HISTORY_BYTES, signal, open = openStream } = {}) {
    const compressed = await withinTime(open(notice))
    const bytes = await inflated(compressed, { maxBytes, signal })
    try {
        return proto.HistorySync.decode(bytes)
    } catch {
        throw new Undecodable('no history')
    }
}

/**
 * @param {import('baileys').proto.Message.IHistorySyncNotification} notice
 * @returns {Promise<Readable>}
 */
async function openStream(notice) {
    const inline = notice.initialHistBootstrapInlinePayload
    if (inline?.length) return Readable.from([Buffer.from(inline)])
    return downloadContentFromMessage(/** @type {any} */ (notice), 'md-msg-hist')
}

/**
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
async function withinTime(work) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error('the download does not start')), STALL_MS)
    })
    try {
        return await /** @type {Promise<T>} */ (Promise.race([work, late]))
    } finally {
        clearTimeout(timer)
    }
}

/**
 * @param {Readable} compressed
 * @param {{maxBytes: number, signal?: AbortSignal}} bounds
 * @returns {Promise<Buffer>}
 */
function inflated(compressed, { maxBytes, signal }) {
    return new Promise((resolve, reject) => {
        const inflate = createInflate()
        /** @type {Buffer[]} */
        let chunks = []
        let bytes = 0
        const stalled = setTimeout(() => fail(new Error('the download stalled')), STALL_MS)
        const aborted = () => fail(new Error('aborted'))
        signal?.addEventListener('abort', aborted)

        /** @param {Error} error */
        function fail(error) {
            finish()
            reject(error)
            compressed.unpipe(inflate)
            compressed.destroy()
            inflate.destroy()
        }

        function finish() {
            clearTimeout(stalled)
            signal?.removeEventListener('abort', aborted)
        }

        inflate.on('data', chunk => {
            stalled.refresh()
            chunks.push(chunk)
            bytes += chunk.length
            if (bytes > maxBytes) fail(new TooLarge())
        })
        inflate.on('error', () => fail(new Undecodable('not compressed')))
        compressed.on('error', (/** @type {any} */ error) =>
            fail(String(error?.code).startsWith('ERR_OSSL') ? new Undecodable('not encrypted for us') : error))
        inflate.on('end', () => {
            finish()
            const whole = Buffer.concat(chunks, bytes)
            chunks = []
            resolve(whole)
        })
        compressed.pipe(inflate)
    })
}
