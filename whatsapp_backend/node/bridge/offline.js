/**
 * The queue that the server kept while we were away. It comes in batches of 100: the engine asks for the first, this
 * asks for the rest, each time when all so far is journaled. Without that a client gets 100 and no more.
 */
const BATCH = 100

export class OfflineQueue {
    #handed = 0
    #settled = 0
    #drained = false
    #done = false
    #ask
    #report

    /** @param {{ask: (count: number) => void, report: (received: number) => void}} to */
    constructor({ ask, report }) {
        this.#ask = ask
        this.#report = report
    }

    /** A stanza of the queue came in. */
    handed() {
        this.#handed += 1
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

    #conclude() {
        if (this.#done || !this.#drained || this.#settled < this.#handed) return
        this.#done = true
        this.#report(this.#settled)
    }
}
