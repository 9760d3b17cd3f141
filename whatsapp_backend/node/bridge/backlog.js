/**
 * What came in and is neither committed nor refused: an engine that hangs takes everything in and lets nothing out, and
 * looks alive. A long queue looks alike only at first: its head changes.
 */
export class Backlog {
    /** When each came, the oldest first. @type {Map<symbol, number>} */
    #waiting = new Map()
    #headSince = 0
    #now

    /** @param {() => number} [now] in milliseconds; no clock that somebody sets */
    constructor(now = () => performance.now()) {
        this.#now = now
    }

    /** Something came. Returns what to call when it has been dealt with. */
    came() {
        const one = Symbol('stanza')
        const now = this.#now()
        if (!this.#waiting.size) this.#headSince = now
        this.#waiting.set(one, now)
        return () => {
            const [head] = this.#waiting.keys()
            this.#waiting.delete(one)
            if (one === head) this.#headSince = this.#now()
        }
    }

    /**
     * How long the oldest has been the next one, and how long ago it came; undefined when nothing waits.
     * @returns {{for: number, age: number} | undefined}
     */
    get stuck() {
        const [came] = this.#waiting.values()
        if (came === undefined) return undefined
        const now = this.#now()
        return { for: Math.round(now - this.#headSince), age: Math.round(now - came) }
    }
}
