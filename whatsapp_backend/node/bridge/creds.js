/**
 * Commits the credentials as they change. Changes of one turn of the event loop go together; they are read when they
 * are sent, so that what Baileys changes right after telling is in.
 */
import { BufferJSON } from './engine.js'

/** @param {unknown} creds */
export const credsToText = creds => JSON.stringify(creds, BufferJSON.replacer)

export class UnreadableCreds extends Error {
    name = 'UnreadableCreds'
}

/**
 * Throws UnreadableCreds: a new identity is never made where there should be one.
 * @param {string} text
 * @returns {import('./engine.js').Creds}
 */
export function credsFromText(text) {
    let creds
    try {
        creds = JSON.parse(text, BufferJSON.reviver)
    } catch {
        throw new UnreadableCreds()
    }
    if (!creds?.noiseKey?.private || !creds.signedIdentityKey?.private) throw new UnreadableCreds()
    return creds
}

export class CredsKeeper {
    /** @type {Promise<void> | null} */
    #waiting = null
    /** @type {() => void} */
    #send = () => {}
    #link
    #creds

    /**
     * @param {import('./link.js').Link} link
     * @param {import('./engine.js').Creds} creds the object that Baileys changes
     */
    constructor(link, creds) {
        this.#link = link
        this.#creds = creds
    }

    /** They change now. Resolves when they are on disk. */
    changed() {
        this.#waiting ??= new Promise(resolve => {
            this.#send = () => {
                this.#waiting = null
                this.#send = () => {}
                resolve(this.#link.commit({ creds: credsToText(this.#creds) }))
            }
            setImmediate(() => this.#send())
        })
        return this.#waiting
    }

    /** Send what has changed, now. */
    flush() {
        this.#send()
    }
}
