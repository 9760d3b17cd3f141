/**
 * Stanzas that came in and are not answered yet: WhatsApp delivers them again should this socket close. The engine
 * answers each, once what it holds is journaled: a message that it can read by a receipt, all else by an ack.
 */
export class Unanswered {
    /** @type {Map<object, number>} by a stanza's own attributes: when it came, oldest first */
    #since = new Map()
    /** @type {Map<string, Set<object>>} of messages, by their ids: senders choose them, two may be alike */
    #messages = new Map()

    /** @param {import('./engine.js').BinaryNode} stanza */
    came({ tag, attrs }) {
        if (tag === 'message' && attrs.id) {
            const alike = this.#messages.get(attrs.id) ?? new Set()
            this.#messages.set(attrs.id, alike.add(attrs))
        }
        this.#since.set(attrs, Date.now())
    }

    /** @param {{attrs: Record<string, string>}} stanza the very same attributes */
    acked({ attrs }) {
        this.#answered(attrs.id, attrs)
    }

    /** @param {string[]} ids of messages */
    received(ids) {
        for (const id of ids) {
            const [attrs] = this.#messages.get(id) ?? []
            if (attrs) this.#answered(id, attrs)
        }
    }

    /** @param {string} id @param {object} attrs */
    #answered(id, attrs) {
        this.#since.delete(attrs)
        const alike = this.#messages.get(id)
        alike?.delete(attrs)
        if (!alike?.size) this.#messages.delete(id)
    }

    /** How many, and when the oldest of them came, in milliseconds of wall clock. */
    get told() {
        const [oldest = null] = this.#since.values()
        return { count: this.#since.size, since: oldest }
    }
}
