/**
 * One client connection: handshake, login or pairing, then stanzas both ways. It ends stalled, closed or terminated.
 */
import { randomBytes } from 'node:crypto'
import { proto } from 'baileys'
import { Delivery } from './delivery.js'
import { answerIq } from './iqs.js'
import { heardAck, heardReceipt } from './receipts.js'
import { heardMessage } from './sends.js'
import { login } from './login.js'
import { node } from './nodes.js'
import { ServerNoise } from './noise.js'
import { finishPairing, offerPairing } from './pairing.js'
import { Wire } from './wire.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./faults.js').Fault} Fault */

export class Connection {
    /**
     * @param {import('./server.js').FakeWhatsApp} server
     * @param {import('ws').WebSocket} socket
     * @param {number} id
     */
    constructor(server, socket, id) {
        this.server = server
        this.id = id
        this.stalled = false
        /** Tags of what never leaves. @type {Set<string>} */
        this.swallows = new Set()
        /** @type {import('./companion.js').Companion | undefined} */
        this.companion = undefined
        /** @type {import('./pairing.js').Pairing | undefined} */
        this.pairing = undefined
        this.delivery = new Delivery(this)
        this.ended = false
        this.wire = new Wire(socket, new ServerNoise(server.staticKey), frame => this.#take(frame),
            reason => this.#closed(reason))
    }

    get account() {
        return this.companion?.owner.number
    }

    /** @param {string} event @param {Record<string, unknown>} [fields] */
    emit(event, fields = {}) {
        const { account, id: connection } = this
        this.server.emit(event, { account, device: this.companion?.number, connection, ...fields })
    }

    /** @param {Buffer | BinaryNode} frame */
    async #take(frame) {
        if (this.stalled) return
        if (!(frame instanceof Buffer)) return this.receive(/** @type {BinaryNode} */ (frame))
        const handshake = proto.HandshakeMessage.decode(frame)
        if (handshake.clientHello?.ephemeral) return this.#hello(handshake.clientHello.ephemeral)
        const { static: key, payload } = handshake.clientFinish ?? {}
        if (!key || !payload) throw new Error('neither client hello nor client finish')
        const finished = this.wire.noise.finish(key, payload)
        await this.#identified(proto.ClientPayload.decode(finished.payload), finished.clientStatic)
    }

    /** @param {Uint8Array} ephemeral */
    #hello(ephemeral) {
        if (this.fails('hello')) return
        const serverHello = this.wire.noise.hello(ephemeral, this.server.certificate)
        this.wire.sendFrame(proto.HandshakeMessage.encode({ serverHello }).finish())
    }

    /** @param {proto.ClientPayload} payload @param {Uint8Array} noiseKey */
    async #identified(payload, noiseKey) {
        const account = payload.username ? String(payload.username) : undefined
        this.emit('connected', { account, registration: Boolean(payload.devicePairingData) })
        if (this.fails('login', account)) return
        if (payload.devicePairingData) offerPairing(this, payload.devicePairingData, noiseKey)
        else login(this, String(account), payload.device ?? 0, noiseKey, payload.userAgent?.appVersion?.tertiary ?? 0)
    }

    /** @param {BinaryNode} stanza */
    async receive(stanza) {
        const rule = this.server.holds.catching(this.account, stanza)
        if (!rule) return this.#handle(stanza)
        const { tag, attrs } = stanza
        this.emit('held', { hold: rule.name, then: rule.then, tag, id: attrs.id, attrs })
        if (rule.then === 'terminate') this.terminate('hold')
        if (rule.then === 'park') rule.parked.push(() => this.#handle(stanza))
        if (rule.then === 'refuse') {
            this.send(node('ack', { class: tag, id: attrs.id, from: attrs.to, error: rule.error }))
        }
        if (rule.then === 'no-ack' && tag === 'message') await heardMessage(this, stanza, false)
    }

    /** @param {BinaryNode} stanza */
    async #handle(stanza) {
        switch (stanza.tag) {
            case 'iq': return this.#iq(stanza)
            case 'receipt': return heardReceipt(this, stanza)
            case 'ack': return heardAck(this, stanza)
            case 'message': return heardMessage(this, stanza)
            case 'ib': return this.delivery.heardIb(stanza)
            case 'presence': return this.emit('presence', { type: stanza.attrs.type, name: stanza.attrs.name })
            case 'call': return this.send(node('ack', { class: 'call', id: stanza.attrs.id, from: stanza.attrs.to }))
        }
    }

    /** @param {BinaryNode} iq */
    async #iq(iq) {
        if (iq.attrs.type === 'result' || iq.attrs.type === 'error') {
            if (this.pairing) finishPairing(this, iq)
            return
        }
        await answerIq(this, iq)
    }

    /** @param {BinaryNode} stanza */
    send(stanza) {
        if (!this.stalled && !this.swallows.has(stanza.tag)) this.wire.sendNode(stanza)
    }

    /**
     * Carry out what was planned for a stage, and say whether the connection goes no further.
     * @param {string} stage @param {string} [account]
     */
    fails(stage, account = this.account) {
        const fault = this.server.faults.take(stage, account)
        if (!fault) return false
        this.emit('fault', { stage, action: fault.action })
        if (fault.action === 'stall') this.stalled = true
        if (fault.action === 'terminate') this.terminate('fault')
        if (fault.action === 'rubbish') this.rubbish(fault.bytes, fault.framed)
        return true
    }

    /** @param {number} bytes @param {boolean} framed whether it has the length prefix of a frame */
    rubbish(bytes, framed) {
        if (framed) this.wire.sendFrame(randomBytes(bytes))
        else this.wire.sendBytes(randomBytes(bytes))
    }

    /** @param {string} reason */
    terminate(reason) {
        this.wire.terminate()
        this.#closed(reason)
    }

    /** Say something last and close. @param {BinaryNode} last */
    end(last) {
        this.send(last)
        this.wire.close()
    }

    /** @param {string} reason */
    #closed(reason) {
        if (this.ended) return
        this.ended = true
        this.emit('closed', { reason })
        this.server.forget(this)
        if (this.companion?.connection === this) this.companion.connection = undefined
    }
}
