/** The fake WhatsApp: one port for clients and downloads, and everything the tests can reach into. */
import { createServer } from 'node:http'
import { Curve } from 'baileys'
import { WebSocketServer } from 'ws'
import { Cdn } from './cdn.js'
import { Connection } from './connection.js'
import { Faults } from './faults.js'
import { Holds } from './holds.js'
import { node } from './nodes.js'
import { World } from './person.js'
import { certificateChain } from './root.js'

/** @typedef {import('./companion.js').Companion} Companion */
/** @typedef {import('node:net').Socket} Socket */

export class FakeWhatsApp {
    /** @param {(event: Record<string, unknown>) => void} [onEvent] */
    constructor(onEvent = () => {}) {
        this.onEvent = onEvent
        this.world = new World()
        this.faults = new Faults()
        this.holds = new Holds()
        this.cdn = new Cdn()
        this.staticKey = Curve.generateKeyPair()
        this.certificate = certificateChain(this.staticKey.public)
        /** @type {Set<Connection>} */
        this.connections = new Set()
        this.accepted = 0
        /** Clients that say an older one are refused. */
        this.oldestRevision = 0
        /** @type {Set<Socket>} */
        this.sockets = new Set()
        this.http = createServer((request, response) => void this.#serve(request, response))
        this.webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 << 20 })
        this.http.on('connection', socket => {
            this.sockets.add(socket)
            socket.on('close', () => this.sockets.delete(socket))
        })
        this.http.on('upgrade', (request, socket, head) => this.#upgrade(request, /** @type {Socket} */ (socket), head))
    }

    /** @param {number} port 0 for any @returns {Promise<string>} the URL for clients */
    async listen(port) {
        await new Promise((resolve, reject) => {
            this.http.once('error', reject)
            this.http.listen(port, '127.0.0.1', () => resolve(undefined))
        })
        const address = /** @type {import('node:net').AddressInfo} */ (this.http.address())
        return `ws://127.0.0.1:${address.port}/ws/chat`
    }

    /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
    async #serve(request, response) {
        const { pathname } = new URL(request.url ?? '/', 'http://fake')
        if (pathname === '/sw.js') return void response.end(`{"client_revision":${this.oldestRevision}}`)
        const served = await this.cdn.serve(pathname, response)
        if (!served) response.writeHead(404).end()
        this.emit('download', served ?? { path: pathname, status: 404 })
    }

    /** @param {import('node:http').IncomingMessage} request @param {Socket} socket @param {Buffer} head */
    #upgrade(request, socket, head) {
        socket.on('error', () => {})
        const fault = this.faults.take('connect', undefined)
        if (fault) {
            this.emit('fault', { stage: 'connect', action: fault.action })
            if (fault.action === 'terminate') socket.destroy()
            if (fault.action === 'rubbish') socket.write(Buffer.alloc(fault.bytes, 0x2a))
            return
        }
        this.webSockets.handleUpgrade(request, socket, head, webSocket => {
            this.connections.add(new Connection(this, webSocket, ++this.accepted))
        })
    }

    /** @param {string} event @param {Record<string, unknown>} [fields] */
    emit(event, fields = {}) {
        this.onEvent({ event, ...fields })
    }

    /** @param {Connection} connection */
    forget(connection) {
        this.connections.delete(connection)
    }

    /** The device is linked no longer. @param {Companion} companion @param {'logout' | 'removed'} why */
    unlink(companion, why) {
        companion.owner.companions.delete(companion.number)
        companion.queue.clear()
        this.emit('unlinked', { account: companion.owner.number, device: companion.number, why })
        if (why === 'removed') {
            const conflict = node('conflict', { type: 'device_removed' })
            companion.connection?.end(node('stream:error', { code: 401 }, [conflict]))
        }
    }

    async close() {
        for (const socket of this.sockets) socket.destroy()
        this.webSockets.close()
        await new Promise(resolve => this.http.close(resolve))
    }
}
