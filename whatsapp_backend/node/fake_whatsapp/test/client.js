/** A stock Baileys client over an in-memory store, and ways to wait for what it does. */
import { BufferJSON, initAuthCreds, makeWASocket, WA_CERT_DETAILS } from 'baileys'
import { Control } from '../control.js'
import { TEST_ROOT_PUBLIC } from '../root.js'
import { FakeWhatsApp } from '../server.js'

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(TEST_ROOT_PUBLIC, 'hex')
for (const name of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug'])) console[name] = () => {}

/** @type {any} */
const SILENT = { level: 'silent', child: () => SILENT }
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) SILENT[level] = () => {}
if (process.env.BAILEYS_LOG) {
    for (const level of ['debug', 'info', 'warn', 'error']) {
        SILENT[level] = (/** @type {any[]} */ ...args) => {
            const text = JSON.stringify(args, (_, value) => value instanceof Error ? value.stack : value)
            process.stderr.write(`${level} ${text.slice(0, 600)}\n`)
        }
    }
}

/** @param {any} value */
const copied = value => JSON.parse(JSON.stringify(value, BufferJSON.replacer), BufferJSON.reviver)

/** What a client keeps between two connections. */
export class Store {
    constructor() {
        this.creds = initAuthCreds()
        /** @type {Map<string, any>} */
        this.values = new Map()
    }

    state() {
        return {
            creds: copied(this.creds),
            keys: {
                get: async (/** @type {string} */ type, /** @type {string[]} */ ids) => Object.fromEntries(ids
                    .map(id => [id, this.values.get(`${type} ${id}`)]).filter(([, value]) => value !== undefined)),
                set: async (/** @type {Record<string, Record<string, any>>} */ data) => {
                    for (const [type, byId] of Object.entries(data)) {
                        for (const [id, value] of Object.entries(byId)) {
                            if (value == null) this.values.delete(`${type} ${id}`)
                            else this.values.set(`${type} ${id}`, value)
                        }
                    }
                }
            }
        }
    }
}

/** Something that happened, in order, and a way to wait for the first that matches. */
class Feed {
    constructor() {
        /** @type {any[]} */
        this.all = []
        /** @type {Set<() => void>} */
        this.waiters = new Set()
    }

    /** @param {any} item */
    add(item) {
        this.all.push(item)
        for (const wake of this.waiters) wake()
    }

    /** @param {(item: any) => boolean} wanted @param {string} what @param {number} [timeoutMs] */
    until(wanted, what, timeoutMs = 8000) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.waiters.delete(look)
                reject(new Error(`no ${what} in ${timeoutMs} ms`))
            }, timeoutMs)
            const look = () => {
                const found = this.all.find(wanted)
                if (!found) return
                clearTimeout(timer)
                this.waiters.delete(look)
                resolve(found)
            }
            this.waiters.add(look)
            look()
        })
    }
}

const EVENTS = /** @type {const} */ (['connection.update', 'messages.upsert', 'messages.update',
    'messaging-history.set', 'message-receipt.update', 'lid-mapping.update', 'contacts.update'])

export class Client {
    /** @param {string} url @param {Store} store @param {Record<string, any>} [options] */
    constructor(url, store, options = {}) {
        this.feed = new Feed()
        this.sock = makeWASocket({
            auth: store.state(), logger: SILENT, waWebSocketUrl: url, browser: ['Mac OS', 'Desktop', '1'],
            shouldSyncHistoryMessage: () => true, markOnlineOnConnect: false, retryRequestDelayMs: 10, ...options
        })
        this.sock.ev.on('creds.update', update => Object.assign(store.creds, copied(update)))
        for (const event of EVENTS) this.sock.ev.on(event, data => this.feed.add({ event, data }))
    }

    /** @param {string} event @param {(data: any) => boolean} wanted @param {number} [timeoutMs] */
    async until(event, wanted, timeoutMs) {
        const found = await this.feed.until(each => each.event === event && wanted(each.data), event, timeoutMs)
        return found.data
    }

    /** The first message with this id. @param {string} id @param {number} [timeoutMs] */
    async message(id, timeoutMs) {
        const { messages, type } = await this.until('messages.upsert', data =>
            data.messages.some((/** @type {any} */ each) => each.key.id === id), timeoutMs)
        return { ...messages.find((/** @type {any} */ each) => each.key.id === id), upsert: type }
    }

    /** The first update or receipt of this id; the client's buffer may merge several. @param {string} event
     * @param {string} id @returns {Promise<any>} */
    async update(event, id) {
        const of = (/** @type {any[]} */ data) => data.find(each => each.key.id === id)
        return of(await this.until(event, data => Boolean(of(data))))
    }

    /** Every id that came out so far. */
    ids() {
        return this.feed.all.filter(each => each.event === 'messages.upsert')
            .flatMap(each => each.data.messages.map((/** @type {any} */ message) => message.key.id))
    }

    async open() {
        await this.until('connection.update', data => data.connection === 'open')
        return this
    }

    async caughtUp() {
        await this.until('connection.update', data => data.receivedPendingNotifications === true)
        return this
    }

    /** @param {number} [timeoutMs] */
    async closed(timeoutMs) {
        const { lastDisconnect } = await this.until('connection.update', data => data.connection === 'close', timeoutMs)
        return lastDisconnect?.error?.output?.statusCode
    }

    async stop() {
        await this.sock.end(undefined)
    }
}

export class Fake {
    constructor() {
        this.feed = new Feed()
        this.server = new FakeWhatsApp(event => this.feed.add(event))
        this.control = new Control(this.server, () => {})
        this.url = ''
        /** @type {Client[]} */
        this.clients = []
    }

    /** @param {import('node:test').TestContext} t */
    static async started(t) {
        const fake = new Fake()
        fake.url = await fake.server.listen(0)
        t.after(async () => {
            for (const client of fake.clients) await client.stop()
            await fake.server.close()
        })
        return fake
    }

    /** @param {string} op @param {Record<string, any>} [args] @returns {Promise<any>} */
    op(op, args = {}) {
        return this.control.run(op, args)
    }

    /** @param {string} event @param {Record<string, any>} [fields] @param {number} [timeoutMs]
     * @returns {Promise<any>} */
    wait(event, fields = {}, timeoutMs = undefined) {
        const wanted = Object.entries(fields)
        return /** @type {Promise<any>} */ (this.feed.until(each => each.event === event &&
            wanted.every(([name, value]) => each[name] === value), `${event} ${JSON.stringify(fields)}`, timeoutMs))
    }

    /** @param {Store} store @param {Record<string, any>} [options] */
    client(store, options) {
        const client = new Client(this.url, store, options)
        this.clients.push(client)
        return client
    }

    /** A linked, connected client. @param {string} phone @param {Record<string, any>} [options] */
    async linked(phone, options) {
        const store = new Store()
        const pairing = this.client(store, options)
        const { qr } = await pairing.until('connection.update', data => Boolean(data.qr))
        await this.op('scan', { qr, phone })
        const code = await pairing.closed()
        // Baileys holds the events of a first connection back until history arrives, or for twenty seconds.
        store.creds.accountSyncCounter = 1
        const client = await this.client(store, options).open()
        return { client, store, code }
    }
}
