/**
 * One connection of one account: Baileys' socket with everything around it that keeps its promises.
 *
 *     opening ── the socket is made ──► running ──┬── it closes by itself: `state closed`
 *                                                 └── halt, stop, a protocol error
 *
 * Whichever way it ends, it is mute from then on: nothing leaves for WhatsApp, nothing is asked of or told to the
 * daemon, and what waits for an answer waits for ever. A new connection is a new Session with a new Link.
 */
import { ackingLogger } from './acks.js'
import { Backlog } from './backlog.js'
import { ALL_WA_PATCH_NAMES, Browsers, DEFAULT_WEB_URL, initAuthCreds, makeWASocket } from './engine.js'
import { CredsKeeper, credsFromText, credsToText } from './creds.js'
import { signalRepositoryMaker, Tickets } from './decrypt.js'
import { debtEntry } from './entries.js'
import { Gate } from './gate.js'
import { HistoryQueue } from './history.js'
import { KeyStore } from './keys.js'
import { Recent } from './lru.js'
import { OfflineQueue } from './offline.js'
import { Outgoing } from './outgoing.js'
import { finderOfSent } from './resend.js'
import { Tap } from './tap.js'
import { Unanswered } from './unanswered.js'
import { OUTDATED } from './version.js'

/** @type {any} */
const UNSET = undefined
const REMEMBERED_IDS = 20_000
const CLOSE_MS = 1000
const UNAVAILABLE = 503
const boom = (/** @type {number} */ statusCode, /** @type {string} */ message) =>
    Object.assign(new Error(message), { output: { statusCode } })
const UNREADABLE = boom(500, 'Unreadable frame')

/** @param {any} node @param {string} tag @returns {number | undefined} */
function countOf({ content }, tag) {
    const count = Number(content.find((/** @type {any} */ child) => child.tag === tag)?.attrs.count)
    return Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

export class Session {
    seen = new Recent(REMEMBERED_IDS)
    /** @type {Recent<import('./told.js').Known>} */
    derived = new Recent(REMEMBERED_IDS)
    // Set by `open`; until then nobody but `halt` and `stop` has hold of a session.
    /** @type {import('./engine.js').WASocket} */
    sock = UNSET
    /** @type {import('./engine.js').Creds} */
    creds = UNSET
    /** @type {CredsKeeper} */
    keeper = UNSET
    isOpen = false
    /** When anything last came in, in milliseconds of wall clock. */
    heardAt = 0
    unanswered = new Unanswered()
    #tickets = new Tickets()
    #backlog = new Backlog()
    #outgoing = new Outgoing()
    #appStateAsked = false
    #isAnnounced = false
    /** @type {(how: 'closed' | 'stopped' | 'halted') => void} */
    #end = () => {}
    /**
     * Resolves with how it ended.
     * @type {Promise<'closed' | 'stopped' | 'halted'>}
     */
    ended = new Promise(resolve => { this.#end = resolve })
    #mute = false

    /**
     * @param {object} of
     * @param {import('./link.js').Link} of.link
     * @param {() => string} of.nextSource the source of what has no source of its own
     * @param {string} [of.webUrl]
     * @param {() => void} of.onOutdated WhatsApp refuses the version that was said
     */
    constructor({ link, nextSource, webUrl, onOutdated }) {
        this.link = link
        this.nextSource = nextSource
        this.webUrl = webUrl
        this.onOutdated = onOutdated
        this.offline = new OfflineQueue({
            ask: count => this.#askForBatch(count),
            report: received => link.state('caught-up', { received })
        })
        this.history = new HistoryQueue({ link, me: () => this.me, sock: () => this.sock })
        this.#gate = new Gate({
            link,
            tickets: this.#tickets,
            backlog: this.#backlog,
            offline: this.offline,
            seen: this.seen,
            derived: this.derived,
            me: () => this.me,
            onStanza: node => this.unanswered.came(node),
            onHeard: () => { this.heardAt = Date.now() },
            onUnreadable: () => void this.sock.end(UNREADABLE)
        })
    }

    #gate

    /** @returns {import('./engine.js').Me | undefined} */
    get me() {
        return this.creds?.me
    }

    /** Since when what came first of all that is not dealt with waits; undefined when nothing does. */
    get stuck() {
        return this.#backlog.stuck
    }

    get over() {
        return this.#mute
    }

    /**
     * Make the socket. Throws UnreadableCreds; nothing was done then.
     * @param {{creds: string | null, fullHistory: boolean, open: {source: string, raw: string, envelope: any}[],
     *   version?: import('./version.js').WebVersion}} how
     */
    async open({ creds, fullHistory, open, version }) {
        this.creds = creds === null ? initAuthCreds() : credsFromText(creds)
        if (creds === null) await this.link.commit({ creds: credsToText(this.creds) })
        this.keeper = new CredsKeeper(this.link, this.creds)
        const auth = { creds: this.creds, keys: /** @type {any} */ (new KeyStore(this.link)) }
        this.sock = makeWASocket({ ...this.#config(fullHistory), ...version && { version }, auth })
        this.#install()
        for (const { source, raw, envelope } of open) {
            this.history.add({ source, raw: Buffer.from(raw, 'base64'), envelope: envelope ?? {} })
        }
        this.history.start()
    }

    /**
     * @param {boolean} fullHistory
     * @returns {Partial<import('baileys').SocketConfig>}
     */
    #config(fullHistory) {
        const { link } = this
        return {
            waWebSocketUrl: this.webUrl ?? DEFAULT_WEB_URL,
            logger: ackingLogger(
                stanza => this.#onAck(stanza),
                ids => this.#outgoing.after(() => this.unanswered.received(ids))
            ),
            browser: Browsers.macOS('Desktop'), // others are not given full history
            syncFullHistory: fullHistory,
            shouldSyncHistoryMessage: () => false, // history.js does it
            markOnlineOnConnect: false, // else the phone stops notifying its owner
            transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 }, // a failed commit is never answered
            getMessage: finderOfSent(link, () => this.sock),
            makeSignalRepository: signalRepositoryMaker({
                tickets: this.#tickets,
                link,
                me: () => this.me,
                onNotice: entry => this.#onNotice(entry),
                onAppStateKey: id => this.#onAppStateKey(id)
            })
        }
    }

    #install() {
        const { ws, ev } = /** @type {any} */ (this.sock)
        this.#outgoing.install(ws.socket)
        const close = ws.close.bind(ws)
        // A peer that does not answer the closing handshake would keep a dead socket for half a minute.
        ws.close = () => {
            const socket = ws.socket
            const timer = setTimeout(() => socket?.terminate(), CLOSE_MS)
            return close().finally(() => clearTimeout(timer))
        }
        this.#gate.install(ws)
        // The engine listens to no such answer, and waits for ever. What a proxy says is not what WhatsApp says.
        ws.on('unexpected-response', (/** @type {any} */ _, /** @type {any} */ response) => {
            void this.sock.end(boom(UNAVAILABLE, `HTTP ${response.statusCode} instead of a WebSocket`))
        })
        ws.on('CB:ib,,offline_preview', (/** @type {any} */ node) => {
            this.#announced(countOf(node, 'offline_preview') ?? 0)
        })
        ws.on('CB:ib,,offline', (/** @type {any} */ node) => {
            // Where nothing waits the preview may be left out; the end marker tells the number, too.
            const count = countOf(node, 'offline')
            if (!this.#isAnnounced && count !== undefined) this.#announced(count)
            this.offline.drained()
        })
        new Tap({
            nextSource: this.nextSource,
            seen: this.seen,
            derived: this.derived,
            journal: entries => this.#outgoing.hold(this.link.commit({ entries })),
            onCreds: () => { if (!this.#mute) this.#outgoing.hold(this.keeper.changed()) },
            onAppStateKey: () => this.#syncAppState(),
            onConnection: update => this.#onConnection(update)
        }).install(ev)
    }

    /** @param {import('./entries.js').Entry} entry */
    #onNotice({ source, raw, envelope }) {
        this.history.add({ source, raw: Buffer.from(raw ?? '', 'base64'), envelope: envelope ?? {} })
    }

    /**
     * @param {{tag: string, attrs: Record<string, string>}} stanza
     */
    #onAck(stanza) {
        if (stanza.tag === 'message') this.#owe(stanza)
        this.#outgoing.after(() => this.unanswered.acked(stanza))
    }

    /**
     * The last net: a message that is refused before anything of it was journaled becomes a debt before the refusal
     * leaves.
     * @param {{attrs: Record<string, string>}} stanza
     */
    #owe({ attrs }) {
        const ticket = this.#tickets.unsettled(attrs)
        if (!ticket) return
        const debt = debtEntry({ node: ticket.node, reason: 'unreadable', detail: 'refused unread', me: this.me })
        this.#outgoing.hold(this.link.commit({ entries: [debt] }).then(ticket.settled))
    }

    /**
     * Keys of app state are on disk; which is the newest is, too, before their message is acknowledged.
     * @param {string} id
     */
    #onAppStateKey(id) {
        if (this.#mute || this.creds.myAppStateKeyId === id) return
        this.creds.myAppStateKeyId = id
        this.#outgoing.hold(this.keeper.changed())
    }

    /** @param {number} count of what waits for us, as the server says */
    #announced(count) {
        this.#isAnnounced = true
        this.link.state('offline', { announced: count })
    }

    /** @param {number} count */
    #askForBatch(count) {
        const content = [{ tag: 'offline_batch', attrs: { count: String(count) } }]
        // It fails when the socket closed; the next one asks anew.
        this.sock.sendNode({ tag: 'ib', attrs: {}, content }).catch(() => {})
    }

    /** The engine does this after the history it downloads; since we do that, it is on us. */
    #syncAppState() {
        if (this.#appStateAsked || this.creds.accountSyncCounter > 0 || this.#mute) return
        this.#appStateAsked = true
        this.sock.resyncAppState(ALL_WA_PATCH_NAMES, true).then(
            () => this.sock.ev.emit('creds.update', { accountSyncCounter: 1 }),
            () => {
                this.#appStateAsked = false
                this.link.log('warn', 'app-state-sync-failed')
            }
        )
    }

    /** @param {any} update */
    #onConnection({ connection, qr, isNewLogin, lastDisconnect, reachoutTimeLock }) {
        if (this.#mute) return
        if (qr) this.link.state('qr', { qr })
        if (isNewLogin) void this.keeper.changed().then(() => this.link.state('paired'))
        if (connection === 'connecting') this.link.state('connecting')
        if (connection === 'open') this.#opened()
        const { isActive } = reachoutTimeLock ?? {}
        if (reachoutTimeLock) this.link.log('warn', 'reachout-time-lock', { active: isActive === true })
        if (connection === 'close') this.#closed(lastDisconnect?.error)
    }

    #opened() {
        this.isOpen = true
        const { id, lid, name } = this.me ?? {}
        this.link.state('open', { me: { id, lid, name } })
        if (this.creds.myAppStateKeyId) this.#syncAppState() // a crash may have come between the keys and this
    }

    /** @param {any} error */
    #closed(error) {
        this.keeper.flush()
        const code = Math.trunc(Number(error?.output?.statusCode)) || 0
        if (code === OUTDATED) this.onOutdated()
        this.link.state('closed', { code, reason: String(error?.message ?? 'stopped') })
        this.#silence()
        this.#end('closed')
    }

    /** Nothing goes out or in any more. */
    #silence() {
        this.#mute = true
        this.isOpen = false
        this.link.close()
        this.#gate.close()
        this.#outgoing.close()
        this.history.end()
        this.offline.end()
    }

    /** End the socket as if the power had failed. */
    halt() {
        this.#silence()
        this.#end('halted')
        if (!this.sock) return
        /** @type {any} */ (this.sock.ws).socket?.terminate()
        void this.sock.end(undefined)
    }

    /**
     * End the socket in good order; what is not journaled comes again.
     * @param {{code: number, reason: string}} why
     */
    stop({ code, reason }) {
        if (this.#mute) return
        this.keeper?.flush()
        this.link.state('closed', { code, reason })
        this.#end('stopped')
        this.halt()
    }
}
