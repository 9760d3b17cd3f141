/**
 * One generation of one account, as the daemon hears it: what is asked and what was answered.
 *
 * Closed, it is mute: nothing is sent any more, and every promise that was waiting stays pending for ever. That is how
 * a failed commit, or a socket that is gone, keeps the engine from acting on what is not on disk.
 */

/**
 * @typedef {object} Commit
 * @property {Record<string, Record<string, string | null>>} [keys]
 * @property {string} [creds]
 * @property {import('./entries.js').Entry[]} [entries]
 * @property {string} [begin]
 */

/** @type {Promise<never>} */
export const FOREVER = new Promise(() => {})

export class Link {
    #closed = false
    #asked = 0
    /** @type {Map<string, (frame: any) => void>} */
    #pending = new Map()
    #write

    /**
     * @param {string} account
     * @param {string} tag makes ids unique over generations and processes
     * @param {(frame: import('./frames.js').Frame) => void} write
     */
    constructor(account, tag, write) {
        this.account = account
        this.tag = tag
        this.#write = write
    }

    get closed() {
        return this.#closed
    }

    close() {
        this.#closed = true
        this.#pending.clear()
    }

    /**
     * Resolves when it is on disk, and never if it does not get there.
     * @param {Commit} commit
     * @returns {Promise<void>}
     */
    async commit(commit) {
        await this.#ask({ t: 'commit', ...commit })
    }

    /**
     * @param {string} type
     * @param {string[]} ids
     * @returns {Promise<Record<string, string | null>>}
     */
    async get(type, ids) {
        return (await this.#ask({ t: 'get', type, ids })).values
    }

    /**
     * Look for something that was journaled.
     * @param {string} source
     * @returns {Promise<{raw: Buffer, form: string, envelope?: Record<string, string>} | null>}
     */
    async find(source) {
        const { raw, form, envelope } = await this.#ask({ t: 'find', source })
        const found = { form, envelope: envelope ?? undefined }
        return typeof raw === 'string' && form ? { ...found, raw: Buffer.from(raw, 'base64') } : null
    }

    /**
     * @param {string} status
     * @param {Record<string, unknown>} [details]
     */
    state(status, details) {
        if (!this.#closed) this.#write({ t: 'state', account: this.account, status, ...details, at: Date.now() })
    }

    /**
     * @param {'debug' | 'info' | 'warn' | 'error'} level
     * @param {string} event
     * @param {Record<string, unknown>} [fields] never bodies, names, keys or numbers
     */
    log(level, event, fields) {
        this.#write({ t: 'log', level, event, account: this.account, fields })
    }

    /**
     * An answer of the daemon. One to an older generation finds nobody waiting.
     * @param {any} frame
     */
    answer(frame) {
        const resolve = this.#pending.get(`${ANSWERED_BY[frame.t]} ${frame.id}`)
        if (!resolve) return
        this.#pending.delete(`${ANSWERED_BY[frame.t]} ${frame.id}`)
        resolve(frame)
    }

    /** @param {import('./frames.js').Frame} frame */
    #ask(frame) {
        if (this.#closed) return FOREVER
        const id = `${this.tag}-${++this.#asked}`
        const { t, ...rest } = frame
        // `account` near the beginning, where the reader of a line that cannot be parsed looks for it.
        this.#write({ t, account: this.account, id, ...rest })
        return new Promise(resolve => this.#pending.set(`${t} ${id}`, resolve))
    }
}

/** @type {Record<string, string>} */
const ANSWERED_BY = { got: 'get', committed: 'commit', found: 'find' }
