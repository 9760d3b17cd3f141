/** Whether anything still gets through: to the server and back, and all the way to our own phone and back. */
import { S_WHATSAPP_NET } from './engine.js'

/** @typedef {import('./session.js').Session} Session */

const TIMED_OUT = 408

/**
 * A round trip to the server. Throws when the connection closes meanwhile.
 * @param {Session} session
 * @param {number} withinMs
 * @returns {Promise<number | undefined>} how long it took, in milliseconds; undefined when nothing came in time
 */
export async function roundTrip({ sock }, withinMs) {
    const began = performance.now()
    const attrs = { id: sock.generateMessageTag(), to: S_WHATSAPP_NET, type: 'get', xmlns: 'w:p' }
    try {
        const answer = await sock.query({ tag: 'iq', attrs, content: [{ tag: 'ping', attrs: {} }] }, withinMs)
        return answer ? Math.round(performance.now() - began) : undefined
    } catch (error) {
        // The engine gives up with this, or with no answer, whichever of its two timers is the first.
        if (/** @type {any} */ (error)?.output?.statusCode === TIMED_OUT) return undefined
        throw error
    }
}
