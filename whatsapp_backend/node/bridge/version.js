/**
 * Which version of WhatsApp Web the engine says it is: its own, until WhatsApp refuses that one (405). Then WhatsApp is
 * asked for the current one, before the next connection, and all connections of this process say so.
 */
import { fetchLatestWaWebVersion } from './engine.js'

export const OUTDATED = 405
const PATIENCE_MS = 10_000

/** @typedef {[number, number, number]} WebVersion */

export class Version {
    /** @type {WebVersion | undefined} */
    #version
    #refused = false

    /** WhatsApp does not take the one that was said last. */
    refused() {
        this.#refused = true
    }

    /** @returns {Promise<WebVersion | undefined>} undefined: the engine's own */
    async current() {
        if (!this.#refused) return this.#version
        const { version, isLatest } = await fetchLatestWaWebVersion({ signal: AbortSignal.timeout(PATIENCE_MS) })
        if (isLatest) {
            this.#version = /** @type {WebVersion} */ (version)
            this.#refused = false
        }
        return this.#version
    }
}
