/** Things that happened, in order, and a way to wait for the first that matches. */
const TIMEOUT_MS = Number(process.env.FEED_MS ?? 10_000)

/** @template T */
export class Feed {
    constructor() {
        /** @type {T[]} */
        this.all = []
        /** @type {Set<() => void>} */
        this.waiters = new Set()
    }

    /** @param {T} item */
    add(item) {
        this.all.push(item)
        for (const look of this.waiters) look()
    }

    /**
     * @param {string} what
     * @param {(item: T) => any} wanted
     * @param {number} [from] index of the first that counts
     * @returns {Promise<T>}
     */
    until(what, wanted, from = 0) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.waiters.delete(look)
                reject(new Error(`no ${what} in ${TIMEOUT_MS} ms`))
            }, TIMEOUT_MS)
            const look = () => {
                const found = this.all.slice(from).find(wanted)
                if (found === undefined) return
                clearTimeout(timer)
                this.waiters.delete(look)
                resolve(found)
            }
            this.waiters.add(look)
            look()
        })
    }
}
