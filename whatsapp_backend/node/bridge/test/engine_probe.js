/** Baileys as it comes, in this process, over a store that a test can watch and hold back. */
import { Browsers, BufferJSON, initAuthCreds, makeLibSignalRepository, makeWASocket, SILENT } from '../engine.js'
import { TEST_ROOT_PUBLIC } from '../../fake_whatsapp/root.js'
import { WA_CERT_DETAILS } from 'baileys'
import { ME } from './stage.js'
import { Feed } from './feed.js'

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(TEST_ROOT_PUBLIC, 'hex')

/** @param {any} value */
const copied = value => JSON.parse(JSON.stringify(value, BufferJSON.replacer), BufferJSON.reviver)

export class Probe {
    constructor() {
        this.creds = initAuthCreds()
        /** @type {Map<string, any>} */
        this.values = new Map()
        /** What the raw store was asked to write. @type {Feed<any>} */
        this.sets = new Feed()
        /** Called before a write returns. @type {(data: any) => Promise<void>} */
        this.beforeSet = async () => {}
        /** @type {Feed<{event: string, data: any}>} */
        this.emitted = new Feed()
        /** @type {Feed<any>} */
        this.decrypted = new Feed()
        /** @type {import('../engine.js').WASocket} */
        this.sock = /** @type {any} */ (undefined)
    }

    keys() {
        return {
            get: async (/** @type {string} */ type, /** @type {string[]} */ ids) => Object.fromEntries(ids
                .filter(id => this.values.has(`${type} ${id}`)).map(id => [id, this.values.get(`${type} ${id}`)])),
            set: async (/** @type {any} */ data) => {
                this.sets.add(data)
                await this.beforeSet(data)
                for (const [type, values] of Object.entries(data)) {
                    for (const [id, value] of Object.entries(values)) {
                        if (value == null) this.values.delete(`${type} ${id}`)
                        else this.values.set(`${type} ${id}`, value)
                    }
                }
            }
        }
    }

    /** @param {import('./stage.js').Stage} stage @param {any} [config] */
    connect(stage, config = {}) {
        this.creds = copied(this.creds)
        const sock = makeWASocket({
            auth: { creds: this.creds, keys: /** @type {any} */ (this.keys()) }, logger: SILENT,
            waWebSocketUrl: stage.url, browser: Browsers.macOS('Desktop'), markOnlineOnConnect: false,
            shouldSyncHistoryMessage: () => false, retryRequestDelayMs: 10,
            makeSignalRepository: (auth, logger, lookUp) => {
                const inner = makeLibSignalRepository(auth, logger, lookUp)
                return {
                    ...inner,
                    decryptMessage: args => {
                        this.decrypted.add(args.ciphertext)
                        return inner.decryptMessage(args)
                    }
                }
            },
            ...config
        })
        this.sock = sock
        const emit = sock.ev.emit.bind(sock.ev)
        sock.ev.emit = (event, data) => {
            this.emitted.add({ event, data })
            return emit(event, data)
        }
        return sock
    }

    /** @param {string} event @param {(data: any) => any} [wanted] @param {number} [from] */
    async until(event, wanted = () => true, from = 0) {
        return (await this.emitted.until(event, each => each.event === event && wanted(each.data), from)).data
    }

    /**
     * A linked and connected engine.
     * @param {import('./stage.js').Stage} stage
     * @param {import('node:test').TestContext} t
     * @param {any} [config]
     */
    static async linked(stage, t, config) {
        const probe = new Probe()
        t.after(() => probe.sock.end(undefined))
        probe.connect(stage)
        const { qr } = await probe.until('connection.update', data => data.qr)
        await stage.op('scan', { qr, phone: ME })
        await probe.until('connection.update', data => data.connection === 'close')
        const from = probe.emitted.all.length
        probe.connect(stage, config)
        await probe.until('connection.update', data => data.connection === 'open', from)
        await probe.until('connection.update', data => data.receivedPendingNotifications, from)
        return probe
    }
}
