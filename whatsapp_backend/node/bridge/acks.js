/**
 * What the engine is about to acknowledge, refuse or receipt. It tells its logger, and nobody else, right before the
 * bytes go out (test/acks.test.js).
 */
import { SILENT } from './engine.js'

/**
 * A logger that says nothing, and calls back with each stanza that is acknowledged or refused, and with the ids of
 * messages that get a receipt.
 * @param {(stanza: {tag: string, attrs: Record<string, string>}) => void} onAck
 * @param {(ids: string[]) => void} [onReceipt]
 */
export const ackingLogger = (onAck, onReceipt = () => {}) => ({
    ...SILENT,
    debug(/** @type {any} */ of, /** @type {string} */ what) {
        if (what === 'sent ack' && of?.recv?.attrs) onAck(of.recv)
        if (what === 'sending receipt for messages' && Array.isArray(of?.messageIds)) onReceipt(of.messageIds)
    }
})
