/**
 * What the server holds for one device. A stanza stays until the device answers it with a receipt (not a retry) or an
 * acknowledgement; a new connection gets everything that is still there again.
 */

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {{seq: number, node: BinaryNode, sends: number, connection: number, lost?: boolean}} Queued */

export class Queue {
    constructor() {
        /** @type {Map<number, Queued>} */
        this.entries = new Map()
        /** @type {Map<string, number[]>} */
        this.byId = new Map()
        this.last = 0
        /** @type {(() => void)[]} */
        this.waiting = []
    }

    get size() {
        return this.entries.size
    }

    /** @param {BinaryNode} node @returns {Queued} */
    push(node) {
        const entry = { seq: ++this.last, node, sends: 0, connection: 0 }
        this.entries.set(entry.seq, entry)
        const same = this.byId.get(node.attrs.id)
        if (same) same.push(entry.seq)
        else this.byId.set(node.attrs.id, [entry.seq])
        return entry
    }

    /** What a connection has not been sent yet, in order. @param {number} connection @param {number} limit */
    unsent(connection, limit) {
        /** @type {Queued[]} */
        const found = []
        for (const entry of this.entries.values()) {
            if (found.length >= limit) break
            if (entry.connection !== connection && !entry.lost) found.push(entry)
        }
        return found
    }

    /**
     * Remove what was answered: the oldest one that this connection was sent.
     * @param {string} id @param {string} tag @param {number} connection
     */
    settle(id, tag, connection) {
        const seqs = this.byId.get(id) ?? []
        const seq = seqs.find(each => {
            const entry = this.entries.get(each)
            return entry?.node.tag === tag && entry.connection === connection
        })
        if (seq === undefined) return undefined
        const entry = this.entries.get(seq)
        this.entries.delete(seq)
        if (seqs.length === 1) this.byId.delete(id)
        else seqs.splice(seqs.indexOf(seq), 1)
        this.#wake()
        return entry
    }

    /** They count for as long as nobody noticed, and are never sent. @param {string} id */
    lose(id) {
        const seqs = this.byId.get(id) ?? []
        for (const entry of this.entries.values()) if (seqs.includes(entry.seq)) entry.lost = true
        return seqs.length
    }

    /** It was noticed: what was lost is not there. */
    notice() {
        for (const [seq, { lost, node }] of this.entries) {
            if (!lost) continue
            this.entries.delete(seq)
            this.byId.delete(node.attrs.id)
        }
        this.#wake()
    }

    clear() {
        this.entries.clear()
        this.byId.clear()
        this.#wake()
    }

    #wake() {
        if (!this.entries.size) for (const wake of this.waiting.splice(0)) wake()
    }

    /** Wait until nothing is left, or for so long. @param {number} timeoutMs */
    async drained(timeoutMs) {
        if (!this.entries.size) return
        await new Promise(resolve => {
            const timer = setTimeout(resolve, timeoutMs)
            this.waiting.push(() => {
                clearTimeout(timer)
                resolve(undefined)
            })
        })
    }
}
