/**
 * What the engine is about to acknowledge or refuse. It tells its logger, and nobody else, right before the bytes go
 * out (test/contract.test.js).
 */
import { SILENT } from './engine.js'

/**
 * A logger that says nothing, and calls back with each stanza that is acknowledged or refused.
 * @param {(stanza: {tag: string, attrs: Record<string, string>}) => void} onAck
 */
export const ackingLogger = onAck => ({
    ...SILENT,
    debug(/** @type {any} */ of, /** @type {string} */ what) {
        if (what === 'sent ack' && of?.recv?.tag === 'message') onAck(of.recv)
    }
})
