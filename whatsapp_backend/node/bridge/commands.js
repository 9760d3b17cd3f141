/** The commands of docs/frames.md. */
import { jidNormalizedUser, proto } from './engine.js'
import { readPlaintext, readStanza } from './entries.js'
import { roundTrip } from './hearing.js'
import { webPayload } from './messages.js'
import { requestHistory } from './ondemand.js'
import { requestResend } from './resend.js'
import { isUnknown, sendText } from './send.js'
import { fromJson } from './stanzas.js'

const TIMEOUT_MS = 90_000
const PROBE_MS = 20_000

/**
 * @typedef {'not-open' | 'not-started' | 'already-started' | 'bad-arguments' | 'unknown-command' | 'refused' |
 *     'timeout'} Code
 */

export class CommandFailed extends Error {
    name = 'CommandFailed'

    /**
     * @param {Code} code
     * @param {string} message
     */
    constructor(code, message) {
        super(message)
        this.code = code
    }
}

/** @param {string} what */
const badArguments = what => new CommandFailed('bad-arguments', what)

/**
 * @param {any} args
 * @param {Record<string, Check>} checks
 */
function demand(args, checks) {
    for (const [name, check] of Object.entries(checks)) if (!check(args[name])) throw badArguments(name)
}

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const text = value => typeof value === 'string' && value.length > 0
/** @type {Check} */
const jid = value => text(value) && /^[^@]+@[^@]+$/.test(value)
/** @type {(check: Check) => Check} */
const optional = check => value => value == null || check(value)
/** @type {Check} */
const object = value => typeof value === 'object' && value !== null && !Array.isArray(value)
/** @type {Check} */
const isKey = value => object(value) && jid(value.remoteJid) && text(value.id) &&
    typeof value.fromMe === 'boolean' && optional(jid)(value.participant)
/** @type {Check} */
const notice = value => object(value) && text(value.source) && text(value.raw)

/** @typedef {import('./bridge.js').Bridge} Bridge */
/** @typedef {import('./session.js').Session} Session */

/** @type {Record<string, (bridge: Bridge, account: string, args: any) => Promise<any>>} */
const COMMANDS = {
    async start(bridge, account, args) {
        demand(args, {
            creds: value => value === null || text(value),
            fullHistory: value => typeof value === 'boolean',
            open: value => Array.isArray(value) && value.every(notice)
        })
        if (bridge.session(account)) throw new CommandFailed('already-started', `${account} is started`)
        await bridge.start(account, args)
        return {}
    },

    async stop(bridge, account) {
        started(bridge, account).stop({ code: 0, reason: 'stopped' })
        return {}
    },

    async logout(bridge, account) {
        const session = opened(bridge, account)
        await session.sock.logout()
        if (await session.ended === 'halted') throw new CommandFailed('not-open', 'the account was halted')
        return {}
    },

    async 'fetch-history'(bridge, account, args) {
        demand(args, {
            chat: jid,
            anchor: value => object(value) && text(value.id) && typeof value.fromMe === 'boolean',
            time: Number.isSafeInteger,
            count: value => Number.isInteger(value) && value >= 1 && value <= 50,
            unit: optional(value => value === 's' || value === 'ms'),
            id: optional(text),
            fresh: optional(value => typeof value === 'boolean')
        })
        const time = args.unit === 'ms' ? args.time * 1000 : args.time
        const what = { ...args, time, id: args.id ?? undefined }
        return { request: await inTime(opened(bridge, account), session => requestHistory(session, what)) }
    },

    async 'request-resend'(bridge, account, args) {
        demand(args, { key: isKey })
        return { request: await inTime(opened(bridge, account), session => requestResend(session, args.key)) }
    },

    async probe(bridge, account, args) {
        demand(args, { within: optional(value => Number.isInteger(value) && value >= 1 && value < TIMEOUT_MS) })
        const ms = await inTime(opened(bridge, account), session => roundTrip(session, args.within ?? PROBE_MS))
        if (ms === undefined) throw new CommandFailed('timeout', 'no answer in time')
        return { ms }
    },

    async echo(bridge, account, args) {
        demand(args, { key: isKey, id: optional(text), fresh: optional(value => typeof value === 'boolean') })
        const how = { id: args.id ?? undefined, fresh: args.fresh ?? undefined }
        return { request: await inTime(opened(bridge, account), session => requestResend(session, args.key, how)) }
    },

    async 'send-text'(bridge, account, args) {
        demand(args, { chat: jid, text, id: optional(text) })
        const what = { chat: jidNormalizedUser(args.chat), text: args.text, id: args.id ?? undefined }
        return inTime(opened(bridge, account), session => sendText(session, what))
    },

    async decode(_bridge, _account, args) {
        demand(args, { form: text, raw: value => typeof value === 'string', envelope: optional(object), me: object })
        return { payload: decode(args) }
    },

    async ping(bridge) {
        const { accounts, heard, stuck, unanswered } = bridge
        return { accounts, heard, stuck, unanswered, rss: process.memoryUsage.rss() }
    }
}

/** @param {{form: string, raw: string, envelope?: any, me: import('./engine.js').Me}} of */
function decode({ form, raw, envelope, me }) {
    const bytes = Buffer.from(raw, 'base64')
    if (form === 'padded' || form === 'message') {
        const { payload, problem } = readPlaintext({ raw: bytes, form, envelope: envelope ?? {}, me })
        if (!payload) throw new CommandFailed('refused', problem ?? 'unreadable')
        return payload
    }
    try {
        if (form === 'web') return webPayload(proto.WebMessageInfo.decode(bytes))
        if (form === 'stanza') return readStanza(fromJson(JSON.parse(bytes.toString())), me)
    } catch (error) {
        throw new CommandFailed('refused', error instanceof Error ? error.name : 'unreadable') // its text quotes
    }
    throw badArguments('form')
}

/**
 * @param {Bridge} bridge
 * @param {string} account
 */
function started(bridge, account) {
    const session = bridge.session(account)
    if (!session) throw new CommandFailed('not-started', `${account} is not started`)
    return session
}

/**
 * @param {Bridge} bridge
 * @param {string} account
 */
function opened(bridge, account) {
    const session = started(bridge, account)
    if (!session.isOpen) throw new CommandFailed('not-open', `${account} has no open connection`)
    return session
}

/**
 * What the engine is asked for, unless the socket closes first or it takes too long.
 * @template T
 * @param {Session} session
 * @param {(session: Session) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function inTime(session, work) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new CommandFailed('timeout', 'no answer in time')), TIMEOUT_MS)
    })
    const closed = session.ended.then(() => { throw new CommandFailed('not-open', 'the connection closed') })
    try {
        return await /** @type {Promise<T>} */ (Promise.race([work(session), late, closed]))
    } finally {
        clearTimeout(timer)
    }
}

/**
 * Carry out a command. Throws CommandFailed.
 * @param {Bridge} bridge
 * @param {{command: string, account?: string, args?: any}} what
 */
export async function carryOut(bridge, { command, account, args }) {
    const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : null
    if (!run) throw new CommandFailed('unknown-command', command.slice(0, 50))
    const needsAccount = command !== 'decode' && command !== 'ping'
    if (needsAccount && !account) throw badArguments('account')
    try {
        return await run(bridge, account ?? '', args ?? {})
    } catch (error) {
        if (error instanceof CommandFailed) throw error
        if (isUnknown(error)) throw new CommandFailed('timeout', 'no answer in time')
        // What the engine says may hold numbers: only the class and a status are told.
        const name = error instanceof Error ? error.name : 'error'
        throw new CommandFailed('refused', [name, /** @type {any} */ (error)?.output?.statusCode].join(' ').trim())
    }
}
