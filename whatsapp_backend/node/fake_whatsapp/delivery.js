/**
 * How queued stanzas reach a connection: first what waited while the device was away, marked `offline` and in batches
 * the client asks for, then an end marker, then everything as it comes.
 */
import { child, node } from './nodes.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./queue.js').Queued} Queued */

export class Delivery {
    /** @param {Connection} connection */
    constructor(connection) {
        this.connection = connection
        this.live = false
        this.announced = false
        this.offlineSent = 0
    }

    get #queue() {
        const { companion } = this.connection
        if (!companion) throw new Error('not logged in')
        return companion.queue
    }

    /** The client is active: tell it what waits. */
    announce() {
        if (this.announced || this.connection.fails('offline')) return
        this.announced = true
        const queue = this.#queue
        const tags = [...queue.entries.values()].map(entry => entry.node.tag)
        /** @param {string} tag */
        const count = tag => tags.filter(each => each === tag).length
        this.connection.send(node('ib', { from: 's.whatsapp.net' }, [node('offline_preview', {
            count: queue.size, message: count('message'), receipt: count('receipt'),
            notification: count('notification'), call: count('call'), appdata: 0
        })]))
        this.connection.emit('announced', { count: queue.size })
        if (!queue.size) this.finish()
        else if (!this.connection.companion?.owner.batches) this.batch(Infinity)
    }

    /** @param {import('baileys').BinaryNode} ib */
    heardIb(ib) {
        const wanted = child(ib, 'offline_batch')
        if (!wanted || !this.announced || this.live) return
        this.connection.emit('batch-request', { count: Number(wanted.attrs.count) })
        this.batch(Number(wanted.attrs.count))
    }

    /** @param {number} count */
    batch(count) {
        if (this.connection.fails('batch')) return
        for (const entry of this.#queue.unsent(this.connection.id, count)) {
            this.#send(entry, { offline: String(this.offlineSent) })
            this.offlineSent += 1
        }
        if (!this.#queue.unsent(this.connection.id, 1).length) this.finish()
    }

    /** Nothing that waited is left: mark the end, and go live. */
    finish() {
        this.live = true
        this.#queue.notice()
        if (!this.connection.fails('marker')) this.mark()
    }

    /** Send the end marker. */
    mark() {
        this.connection.send(node('ib', { from: 's.whatsapp.net' }, [node('offline', { count: this.offlineSent })]))
        this.connection.emit('opened', { offline: this.offlineSent })
    }

    /** @param {Queued} entry something new in the queue */
    added(entry) {
        if (this.live) this.#send(entry, {})
    }

    /** @param {Queued} entry @param {Record<string, string>} extra */
    #send(entry, extra) {
        entry.connection = this.connection.id
        entry.sends += 1
        const stanza = entry.node
        this.connection.send({ ...stanza, attrs: { ...stanza.attrs, ...extra } })
    }
}
