/**
 * Between the socket and the engine: nothing that is not decrypted reaches the engine before it is journaled.
 *
 * Commits are sent as stanzas come in; the stanzas go on, in their order, as the commits are answered. Encrypted
 * messages wait only for those before them: they are journaled by decryption (decrypt.js).
 */
import { debtEntry, plaintextEntries, stanzaEntry, unencryptedSource, whyRefused } from './entries.js'
import { classify, dropEmptyRefs, isOffline } from './stanzas.js'
import { keyOfDerived, remember } from './told.js'

/** @typedef {import('./engine.js').BinaryNode} BinaryNode */
/** @typedef {import('./entries.js').Entry} Entry */

const GATED = new Set(['CB:message', 'CB:receipt', 'CB:notification', 'CB:call'])
const PAIRING = 'CB:iq,type:set,pair-device'
const AFTER_THE_END = new Set(['close', 'error'])
const STANZA = 'CB:'

export class Gate {
    /** @type {{passes: Promise<void> | null, pass: () => void}[]} */
    #waiting = []
    #running = false
    #closed = false
    #of

    /**
     * @param {object} of
     * @param {import('./link.js').Link} of.link
     * @param {import('./decrypt.js').Tickets} of.tickets
     * @param {import('./backlog.js').Backlog} of.backlog
     * @param {import('./offline.js').OfflineQueue} of.offline
     * @param {import('./lru.js').Recent} of.seen ids of the messages that came in as stanzas
     * @param {import('./lru.js').Recent<import('./told.js').Known>} of.derived by the id of the message that the engine
     *     will derive: what else is known of its key
     * @param {() => import('./engine.js').Me | undefined} of.me
     * @param {(node: BinaryNode) => void} of.onStanza one that is to be acknowledged came in
     * @param {() => void} of.onHeard bytes came in, whatever they are
     * @param {() => void} of.onUnreadable what came cannot be deciphered, and nothing after it can
     */
    constructor(of) {
        this.#of = of
    }

    /**
     * Take the place of the socket's `emit`.
     * @param {{emit: (event: any, ...args: any[]) => boolean, listeners: (event: any) => Function[]}} ws
     */
    install(ws) {
        const emit = ws.emit.bind(ws)
        ws.emit = (event, ...args) => {
            if (this.#closed && !AFTER_THE_END.has(event)) return false
            if (event === 'message') return this.#receive(ws.listeners('message'), args)
            if (!String(event).startsWith(STANZA)) return emit(event, ...args)
            const pass = () => this.#carefully(() => emit(event, ...args))
            if (event === PAIRING) dropEmptyRefs(args[0])
            if (!GATED.has(event)) return this.#count(event, args[0], pass)
            this.#take(args[0], pass)
            return true
        }
    }

    /**
     * The engine leaves bytes that it cannot decipher unhandled, and stays deaf until it misses a ping.
     * @param {Function[]} listeners
     * @param {any[]} args
     */
    #receive(listeners, args) {
        this.#of.onHeard()
        for (const listen of listeners) Promise.resolve(listen(...args)).catch(() => this.#of.onUnreadable())
        return true
    }

    /**
     * A handler that falls over an odd stanza must not look like bytes that cannot be deciphered.
     * @param {() => boolean} work
     */
    #carefully(work) {
        try {
            return work()
        } catch {
            this.#of.link.log('warn', 'stanza-handler-failed')
            return true
        }
    }

    /** Nothing passes any more. */
    close() {
        this.#closed = true
        this.#waiting = []
    }

    /**
     * Of the queue, but nothing to journal: it counts, once, since the server counted it.
     * @param {string} event
     * @param {BinaryNode} node
     * @param {() => boolean} pass
     */
    #count(event, node, pass) {
        const counted = event === `${STANZA}${node.tag}` && isOffline(node)
        if (counted) this.#of.offline.handed()
        const heard = pass()
        if (counted) this.#of.offline.settled()
        return heard
    }

    /**
     * @param {BinaryNode} node
     * @param {() => void} pass
     */
    #take(node, pass) {
        const { backlog, link, offline } = this.#of
        this.#of.onStanza(node)
        const counted = isOffline(node)
        if (counted) offline.handed()
        const done = backlog.came()
        let settled = () => {
            done()
            if (counted) offline.settled()
        }
        /** @type {Entry[]} */
        let entries
        if (node.tag === 'message') {
            const { now, expected } = this.#read(node)
            entries = now
            if (expected.length) {
                this.#of.tickets.expect(node, expected, settled)
                settled = () => {}
            }
        } else {
            const entry = stanzaEntry(node, this.#of.me())
            remember(this.#of.derived, keyOfDerived(node, entry.payload))
            entries = [entry]
        }
        const passes = entries.length ? link.commit({ entries }) : null
        this.#waiting.push({ passes, pass: () => { pass(); settled() } })
        void this.#run()
    }

    /**
     * What of a message stanza is journaled now, and the ciphertexts that will be when they are decrypted.
     * @param {BinaryNode} node
     */
    #read(node) {
        const me = this.#of.me()
        const { ciphertexts, plaintexts, debt } = classify(node)
        const now = plaintexts.flatMap(raw =>
            plaintextEntries({ node, raw, form: 'message', source: unencryptedSource(node, raw), me }))
        const refused = whyRefused(node, me)
        const reason = refused ? 'unreadable' : debt
        if (reason) now.push(debtEntry({ node, reason, detail: refused, me }))
        if (node.attrs.id) this.#of.seen.add(node.attrs.id)
        return { now, expected: refused ? [] : ciphertexts }
    }

    async #run() {
        if (this.#running) return
        this.#running = true
        for (let next; !this.#closed && (next = this.#waiting.shift());) {
            if (next.passes) await next.passes
            if (!this.#closed) next.pass()
        }
        this.#running = false
    }
}
