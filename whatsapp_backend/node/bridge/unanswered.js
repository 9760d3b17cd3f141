/**
 * Stanzas that came in and are not answered yet: WhatsApp delivers them again should this socket close. The engine
 * answers each, once what it holds is journaled: a message that it can read by a receipt, all else by an ack.
 */
export class Unanswered {
    /** @type {Map<object, number>} by a stanza's own attributes: when it came, oldest first */
    #since = new Map()
    /** @type {Map<string, object>} the attributes of messages, by their ids */
    #messages = new Map()

    /** @param {import('./engine.js').BinaryNode} stanza */
    came({ tag, attrs }) {
        if (tag === 'message' && attrs.id) this.#messages.set(attrs.id, attrs)
        this.#since.set(attrs, Date.now())
    }

    /** @param {{attrs: Record<string, string>}} stanza the very same attributes */
    acked({ attrs }) {
        this.#since.delete(attrs)
        if (this.#messages.get(attrs.id) === attrs) this.#messages.delete(attrs.id)
    }

    /** @param {string[]} ids of messages */
    received(ids) {
        for (const id of ids) {
            const attrs = this.#messages.get(id)
            if (attrs) this.#since.delete(attrs)
            this.#messages.delete(id)
        }
    }

    /** How many, and when the oldest of them came, in milliseconds of wall clock. */
    get told() {
        const [oldest = null] = this.#since.values()
        return { count: this.#since.size, since: oldest }
    }
}
