/**
 * Works through an account's history notices, one at a time: download, records under the credit, end. A notice stays
 * open in the daemon's store until its end is journaled, and comes back at the next start: nothing is remembered here.
 */
import { setMaxListeners } from 'node:events'
import { downloadHistory, isFinal, TooLarge, Undecodable } from './download.js'
import { proto } from './engine.js'
import { messageOf, noticeOf } from './messages.js'
import { readHistory } from './records.js'
import { sha256 } from './stanzas.js'
import { storeTokens } from './tokens.js'

/** Longer together than a dead network takes to be noticed: then the socket ends, and the notice stays open. */
export const PAUSES_MS = [1000, 3000, 9000, 27_000, 81_000]
/** After those, as long as the socket lives: meanwhile the others have their turn. */
const LATER_MS = 4 * 60_000
const CREDIT = 4
const { ON_DEMAND } = proto.HistorySync.HistorySyncType

/** @typedef {{records?: number, messages?: number, chats?: any[], problem?: string}} Outcome */
/** @typedef {{source: string, raw: Uint8Array, envelope: Record<string, string>, postponed?: boolean}} Notice */

export class HistoryQueue {
    /** @type {Notice[]} */
    #waiting = []
    /** @type {Set<string>} */
    #known = new Set()
    /** @type {() => void} */
    #wake = () => {}
    #ended = new AbortController()
    #of

    /**
     * @param {object} of
     * @param {import('./link.js').Link} of.link
     * @param {() => import('./engine.js').Me | undefined} of.me
     * @param {() => import('./engine.js').WASocket} of.sock
     * @param {number[]} [of.pauses]
     * @param {number} [of.laterMs]
     */
    constructor(of) {
        this.#of = { pauses: PAUSES_MS, laterMs: LATER_MS, ...of }
        setMaxListeners(0, this.#ended.signal) // any number of notices may be waiting for later
    }

    /**
     * Start working. Not to be called inside a transaction of the key store: whatever is started there writes into it.
     */
    start() {
        void this.#run()
    }

    /** @param {Notice} notice */
    add(notice) {
        if (this.#known.has(notice.source)) return
        this.#known.add(notice.source)
        this.#waiting.push(notice)
        this.#wake()
    }

    end() {
        this.#ended.abort()
        this.#waiting = []
        this.#wake()
    }

    async #run() {
        const { signal } = this.#ended
        while (!signal.aborted) {
            const notice = this.#waiting.shift()
            if (notice) await this.#work(notice)
            else await new Promise(resolve => { this.#wake = () => resolve(undefined) })
        }
    }

    /**
     * It stays open, here and in the daemon's store, and is tried again.
     * @param {Notice} notice
     */
    #postpone(notice) {
        void this.#pause(this.#of.laterMs).then(() => {
            if (this.#ended.signal.aborted) return
            this.#waiting.push({ ...notice, postponed: true })
            this.#wake()
        })
    }

    /** @param {Notice} notice */
    async #work(notice) {
        const { source, raw, envelope, postponed } = notice
        const { link } = this.#of
        /** @type {any} */
        let points
        try {
            points = noticeOf(messageOf({ raw, form: 'padded', envelope, me: this.#of.me() }))
        } catch {
            points = undefined
        }
        const head = headOf(source, points ?? {})
        await link.commit({ begin: source })
        const pauses = postponed ? [] : this.#of.pauses
        const outcome = points ? await this.#import(points, head, pauses) : { problem: 'not a history notice' }
        if (this.#ended.signal.aborted) return
        if (!outcome) return this.#postpone(notice)
        const { problem, ...counts } = /** @type {Outcome} */ ({ records: 0, messages: 0, chats: [], ...outcome })
        const payload = { ...head.payload, ...counts, result: problem ? 'failed' : 'complete', problem }
        await link.commit({ entries: [this.#entry('history-end', `${source}#end`, head.origin, payload)] })
    }

    /**
     * @param {any} points
     * @param {ReturnType<typeof headOf>} head
     * @param {number[]} pauses
     * @returns {Promise<Outcome | null>} null if it may succeed later
     */
    async #import(points, head, pauses) {
        for (let attempt = 0; ; attempt++) {
            try {
                return await inTurn(() => this.#once(points, head), this.#ended.signal)
            } catch (error) {
                if (this.#ended.signal.aborted) return {}
                const pause = error instanceof TooLarge ? undefined : pauses[attempt]
                this.#of.link.log('warn', 'history-download-failed', { attempt: attempt + 1, error: nameOf(error) })
                if (pause === undefined) return isFinal(error) ? { problem: problemOf(error) } : null
                await this.#pause(pause)
            }
        }
    }

    /**
     * @param {any} points
     * @param {ReturnType<typeof headOf>} head
     */
    async #once(points, { source, origin, payload }) {
        const { signal } = this.#ended
        if (signal.aborted) return {}
        const history = read(await downloadHistory(points, { signal }))
        await this.#keep(history)
        /** @type {Promise<void>[]} */
        const unanswered = []
        let records = 0
        let messages = 0
        for (const record of history.records) {
            if (unanswered.length >= CREDIT) await unanswered.shift()
            if (signal.aborted) return {}
            // What an upgrade cuts otherwise has another source, and is not mistaken for what is there.
            const hash = sha256(JSON.stringify(record)).slice(0, 16)
            const entry = this.#entry('history', `${source}#${records}:${hash}`, origin, { ...payload, ...record })
            unanswered.push(this.#of.link.commit({ entries: [entry] }))
            records += 1
            messages += record.messages.length
        }
        await Promise.all(unanswered)
        return { records, messages, chats: history.ends }
    }

    /** @param {ReturnType<typeof readHistory>} history */
    async #keep({ mappings, tokens }) {
        const { signalRepository: { lidMapping }, authState: { keys } } = this.#of.sock()
        try {
            if (mappings.length) await lidMapping.storeLIDPNMappings(mappings)
            if (tokens.length) await storeTokens(tokens, { keys, lidMapping })
        } catch (error) {
            // The records carry the mappings too; a missing token delays a send.
            this.#of.link.log('warn', 'history-side-effects-failed', { error: nameOf(error) })
        }
    }

    /**
     * @param {string} kind
     * @param {string} source
     * @param {string} origin
     * @param {any} payload
     */
    #entry(kind, source, origin, payload) {
        return { kind, source, origin, at: Date.now(), payload }
    }

    /** @param {number} ms */
    #pause(ms) {
        return new Promise(resolve => {
            const { signal } = this.#ended
            const over = () => {
                clearTimeout(timer)
                signal.removeEventListener('abort', over)
                resolve(undefined)
            }
            const timer = setTimeout(over, ms)
            signal.addEventListener('abort', over)
        })
    }
}

/** @type {Promise<unknown>} */
let turn = Promise.resolve()

/**
 * One chunk at a time is in memory, whichever account it is of.
 * @template T
 * @param {() => Promise<T>} work
 * @param {AbortSignal} signal of an account that ended: its commits are never answered, and others go on
 * @returns {Promise<T>}
 */
function inTurn(work, signal) {
    const mine = turn.then(work)
    const aborted = new Promise(resolve => {
        if (signal.aborted) resolve(undefined)
        signal.addEventListener('abort', resolve, { once: true })
        mine.then(resolve, resolve).finally(() => signal.removeEventListener('abort', resolve))
    })
    turn = aborted
    return mine
}

/** @param {import('baileys').proto.HistorySync} sync */
function read(sync) {
    try {
        return readHistory(sync)
    } catch {
        throw new Undecodable('odd history')
    }
}

/**
 * What all entries of one notice have in common.
 * @param {string} source
 * @param {any} points
 */
function headOf(source, points) {
    const syncType = points.syncType ?? 0
    const payload = {
        notice: source,
        syncType,
        session: points.peerDataRequestSessionId || undefined,
        chunkOrder: points.chunkOrder ?? undefined,
        progress: points.progress ?? undefined
    }
    return { source, payload, origin: syncType === ON_DEMAND ? 'ondemand' : 'history' }
}

/** @param {unknown} error */
const nameOf = error => (error instanceof Error ? error.name : 'unknown')

/**
 * Of a failed request only the status: the address is a capability.
 * @param {any} error
 */
function problemOf(error) {
    const status = error?.output?.statusCode
    if (error instanceof TooLarge) return error.message
    return status ? `download failed: ${status}` : `download failed: ${nameOf(error)}`
}
