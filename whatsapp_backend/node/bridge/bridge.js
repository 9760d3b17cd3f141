/** All accounts of this process: takes the daemon's frames to where they belong. */
import { randomBytes } from 'node:crypto'
import { carryOut, CommandFailed } from './commands.js'
import { UnreadableCreds } from './creds.js'
import { ENGINE } from './engine.js'
import { Link } from './link.js'
import { Session } from './session.js'
import { shrunk } from './shrink.js'
import { Version } from './version.js'

const PROTOCOL = 1
const PROTOCOL_ERROR_CODE = 500

/** @typedef {import('./frames.js').Frame} Frame */

export class Bridge {
    /** @type {Map<string, Session>} */
    #sessions = new Map()
    #run = randomBytes(6).toString('hex')
    #generation = 0
    #event = 0
    #version = new Version()
    #writer
    #webUrl

    /**
     * @param {{write(frame: Frame): void}} writer
     * @param {{webUrl?: string}} options
     */
    constructor(writer, { webUrl }) {
        this.#writer = writer
        this.#webUrl = webUrl || undefined
    }

    hello() {
        this.#writer.write({ t: 'hello', protocol: PROTOCOL, engine: ENGINE, node: process.version, pid: process.pid })
    }

    get accounts() {
        return [...this.#sessions.values()].filter(session => !session.over).length
    }

    /** When each open socket last heard something, in milliseconds of wall clock. */
    get heard() {
        const open = [...this.#sessions].filter(([, session]) => session.isOpen)
        return Object.fromEntries(open.map(([account, session]) => [account, session.heardAt]))
    }

    /** Of each open socket on which something waits to be dealt with, for how long. */
    get stuck() {
        const open = [...this.#sessions].filter(([, session]) => session.isOpen)
        return Object.fromEntries(open.flatMap(([account, { stuck }]) => (stuck ? [[account, stuck]] : [])))
    }

    /** What each open socket has not acknowledged yet. */
    get unanswered() {
        const open = [...this.#sessions].filter(([, session]) => session.isOpen)
        return Object.fromEntries(open.map(([account, session]) => [account, session.unanswered.told]))
    }

    /**
     * The running session of an account.
     * @param {string} account
     */
    session(account) {
        const session = this.#sessions.get(account)
        return session?.over ? undefined : session
    }

    /**
     * @param {string} account
     * @param {Omit<Parameters<Session['open']>[0], 'version'>} how
     */
    async start(account, how) {
        const tag = `${this.#run}.${++this.#generation}`
        const link = new Link(account, tag, frame => this.#write(frame))
        const nextSource = () => `ev:${this.#run}:${++this.#event}`
        const onOutdated = () => this.#version.refused()
        const session = new Session({ link, nextSource, webUrl: this.#webUrl, onOutdated })
        this.#sessions.set(account, session)
        const opened = async () => {
            const version = await this.#version.current()
            if (!session.over) await session.open({ ...how, version })
        }
        try {
            const stopped = session.ended.then(() => { throw new CommandFailed('not-open', 'stopped while starting') })
            await Promise.race([opened(), stopped])
        } catch (error) {
            session.halt()
            if (this.#sessions.get(account) === session) this.#sessions.delete(account)
            throw error instanceof UnreadableCreds ? new CommandFailed('bad-arguments', 'creds') : error
        }
    }

    /** @param {any} frame checked */
    take(frame) {
        switch (frame.t) {
            case 'do': return void this.#do(frame)
            case 'halt': return this.#halt(frame.account)
            default: return this.#sessions.get(frame.account)?.link.answer(frame)
        }
    }

    /**
     * A line that could not be read. It costs the socket of the account that it names.
     * @param {import('./check.js').ProtocolError} error
     */
    refuse({ code, account, field }) {
        const fields = { error: code, field }
        this.#writer.write({ t: 'log', level: 'error', event: 'protocol-error', account, fields })
        const session = account && this.session(account)
        if (!session) return
        session.stop({ code: PROTOCOL_ERROR_CODE, reason: `protocol error: ${code}` })
        this.#sessions.delete(account)
    }

    destroy() {
        for (const session of this.#sessions.values()) session.halt()
        this.#sessions.clear()
    }

    /** @param {string} account */
    #halt(account) {
        this.#sessions.get(account)?.halt()
        this.#sessions.delete(account)
    }

    /** @param {{id: string, command: string, account?: string, args?: any}} frame */
    async #do({ id, ...what }) {
        try {
            this.#writer.write({ t: 'done', id, result: await carryOut(this, what) })
        } catch (error) {
            const { code, message } = error instanceof CommandFailed ? error : { code: 'refused', message: 'bridge' }
            this.#writer.write({ t: 'failed', id, error: { code, message } })
        }
    }

    /**
     * A commit that is too large goes without what makes it so: one message must not close its account for ever. Any
     * other frame that cannot be sent cannot be answered, and its account cannot go on.
     * @param {Frame} frame
     * @returns {void}
     */
    #write(frame) {
        try {
            this.#writer.write(frame)
        } catch (error) {
            const smaller = shrunk(frame)
            if (smaller) return this.#write(smaller)
            const fields = { error: error instanceof Error ? error.name : 'unknown', type: frame.t }
            this.#writer.write({ t: 'log', level: 'error', event: 'frame-not-sent', account: frame.account, fields })
            const why = { code: PROTOCOL_ERROR_CODE, reason: 'frame too large' }
            if (frame.account) setImmediate(() => this.session(String(frame.account))?.stop(why))
        }
    }
}
