/**
 * The queue that the server kept while we were away. It comes in batches of 100: the engine asks for the first, this
 * asks for the rest, each time when all so far is journaled. Without that a client gets 100 and no more. A server may
 * count otherwise than we do: when nothing more comes and it has not said that this is all, it is asked again.
 */
const BATCH = 100
const QUIET_MS = 5000
const MAX_QUIET_MS = 5 * 60_000

export class OfflineQueue {
    #handed = 0
    #settled = 0
    #drained = false
    #done = false
    /** @type {NodeJS.Timeout | undefined} */
    #timer
    #quietMs
    #pause
    #ask
    #report

    /** @param {{ask: (count: number) => void, report: (received: number) => void, quietMs?: number}} to */
    constructor({ ask, report, quietMs = QUIET_MS }) {
        this.#ask = ask
        this.#report = report
        this.#quietMs = quietMs
        this.#pause = quietMs
    }

    /** A stanza of the queue came in. */
    handed() {
        this.#handed += 1
        this.#pause = this.#quietMs
        clearTimeout(this.#timer)
    }

    /** One of them is journaled and with the engine. */
    settled() {
        this.#settled += 1
        if (this.#settled % BATCH === 0 && !this.#drained) this.#ask(BATCH)
        this.#conclude()
    }

    /** The server says that there is no more. */
    drained() {
        this.#drained = true
        this.#conclude()
    }

    /** The socket is gone: nothing is asked any more. */
    end() {
        this.#done = true
        clearTimeout(this.#timer)
    }

    #conclude() {
        clearTimeout(this.#timer)
        if (this.#done || this.#settled < this.#handed) return
        if (!this.#drained) return this.#askWhenQuiet()
        this.#done = true
        this.#report(this.#settled)
    }

    #askWhenQuiet() {
        this.#timer = setTimeout(() => {
            this.#ask(BATCH)
            this.#pause = Math.min(2 * this.#pause, MAX_QUIET_MS)
            this.#askWhenQuiet()
        }, this.#pause)
    }
}
