/** The most recently used strings, bounded by their number and by their length together. */
export class TextCache {
    /** @type {Map<string, string | null>} */
    #values = new Map()
    #chars = 0
    #maxEntries
    #maxChars

    /** @param {{maxEntries: number, maxChars: number}} bounds */
    constructor({ maxEntries, maxChars }) {
        this.#maxEntries = maxEntries
        this.#maxChars = maxChars
    }

    /**
     * `undefined` when it is not known, `null` when it is known to be absent.
     * @param {string} key
     */
    get(key) {
        const value = this.#values.get(key)
        if (value === undefined) return undefined
        this.#values.delete(key)
        this.#values.set(key, value)
        return value
    }

    /**
     * @param {string} key
     * @param {string | null} value
     */
    set(key, value) {
        this.delete(key)
        this.#values.set(key, value)
        this.#chars += key.length + (value?.length ?? 0)
        for (const oldest of this.#values.keys()) {
            if (this.#values.size <= this.#maxEntries && this.#chars <= this.#maxChars) break
            this.delete(oldest)
        }
    }

    /** @param {string} key */
    delete(key) {
        const value = this.#values.get(key)
        if (value === undefined) return
        this.#values.delete(key)
        this.#chars -= key.length + (value?.length ?? 0)
    }
}

/**
 * Remembers the last so many strings, and what was said of them.
 * @template [T=true]
 */
export class Recent {
    /** @type {Map<string, T>} */
    #seen = new Map()
    #max

    /** @param {number} max */
    constructor(max) {
        this.#max = max
    }

    /**
     * @param {string} value
     * @param {T} [about]
     */
    add(value, about) {
        this.#seen.delete(value)
        this.#seen.set(value, /** @type {T} */ (about ?? true))
        for (const oldest of this.#seen.keys()) {
            if (this.#seen.size <= this.#max) break
            this.#seen.delete(oldest)
        }
    }

    /** @param {string} value */
    has(value) {
        return this.#seen.has(value)
    }

    /** @param {string} value */
    about(value) {
        return this.#seen.get(value)
    }
}
