/** The conversations on a phone: where on-demand history comes from. */

/**
 * @typedef {{id: string, from_me: boolean, time: number, text?: string, participant?: string, name?: string,
 *   message?: import('baileys').proto.IMessage, web?: Record<string, any>}} Stored `web`: what else its row
 *   in a history tells
 */

export class Chats {
    constructor() {
        /** @type {Map<string, {messages: Stored[], ids: Set<string>, sorted: boolean}>} */
        this.byKey = new Map()
    }

    /** @param {string} key @param {Stored} message a message already there is left as it is */
    add(key, message) {
        let chat = this.byKey.get(key)
        if (!chat) this.byKey.set(key, chat = { messages: [], ids: new Set(), sorted: true })
        if (chat.ids.has(message.id)) return
        chat.ids.add(message.id)
        const last = chat.messages.at(-1)
        if (last && last.time > message.time) chat.sorted = false
        chat.messages.push(message)
    }

    /** Oldest first. @param {string} key @returns {Stored[]} */
    messages(key) {
        const chat = this.byKey.get(key)
        if (!chat) return []
        if (!chat.sorted) {
            chat.messages.sort((a, b) => a.time - b.time)
            chat.sorted = true
        }
        return chat.messages
    }

    /** @param {string} key @param {string} id @returns {Stored | undefined} */
    find(key, id) {
        return this.byKey.get(key)?.messages.find(each => each.id === id)
    }

    /**
     * What lies before an anchor, newest first.
     * @param {string} key @param {string} anchor a message id @param {number} limit
     * @returns {{page: Stored[], more: boolean} | undefined} undefined when there is no such message
     */
    before(key, anchor, limit) {
        const all = this.messages(key)
        const at = all.findIndex(each => each.id === anchor)
        if (at < 0) return undefined
        const start = Math.max(0, at - limit)
        return { page: all.slice(start, at).reverse(), more: start > 0 }
    }
}
