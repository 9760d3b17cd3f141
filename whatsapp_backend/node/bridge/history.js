/**
 * Works through an account's history notices, one at a time: download, records under the credit, end. A notice stays
 * open in the daemon's store until its end is journaled, and comes back at the next start: nothing is remembered here.
 */
import { downloadHistory, TooLarge } from './download.js'
import { proto } from './engine.js'
import { messageOf, noticeOf } from './messages.js'
import { readHistory } from './records.js'
import { storeTokens } from './tokens.js'

/** Longer together than a dead network takes to be noticed: then the socket ends, and the notice stays open. */
export const PAUSES_MS = [1000, 3000, 9000, 27_000, 81_000]
const CREDIT = 4
const { ON_DEMAND } = proto.HistorySync.HistorySyncType

/** @typedef {{records?: number, messages?: number, chats?: any[], problem?: string}} Outcome */
/** @typedef {{source: string, raw: Uint8Array, envelope: Record<string, string>}} Notice */

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
     */
    constructor(of) {
        this.#of = { pauses: PAUSES_MS, ...of }
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

    /** @param {Notice} notice */
    async #work({ source, raw, envelope }) {
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
        const outcome = points ? await this.#import(points, head) : { problem: 'not a history notice' }
        if (this.#ended.signal.aborted) return
        const { problem, ...counts } = /** @type {Outcome} */ ({ records: 0, messages: 0, chats: [], ...outcome })
        const payload = { ...head.payload, ...counts, result: problem ? 'failed' : 'complete', problem }
        await link.commit({ entries: [this.#entry('history-end', `${source}#end`, head.origin, payload)] })
    }

    /**
     * @param {any} points
     * @param {ReturnType<typeof headOf>} head
     * @returns {Promise<Outcome>}
     */
    async #import(points, head) {
        for (let attempt = 0; ; attempt++) {
            try {
                return await this.#once(points, head)
            } catch (error) {
                if (this.#ended.signal.aborted) return {}
                const pause = error instanceof TooLarge ? undefined : this.#of.pauses[attempt]
                this.#of.link.log('warn', 'history-download-failed', { attempt: attempt + 1, error: nameOf(error) })
                if (pause === undefined) return { problem: problemOf(error) }
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
        const history = readHistory(await downloadHistory(points, { signal }))
        await this.#keep(history)
        /** @type {Promise<void>[]} */
        const unanswered = []
        let records = 0
        let messages = 0
        for (const record of history.records) {
            if (unanswered.length >= CREDIT) await unanswered.shift()
            if (signal.aborted) return {}
            const entry = this.#entry('history', `${source}#${records}`, origin, { ...payload, ...record })
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
            const timer = setTimeout(resolve, ms)
            this.#ended.signal.addEventListener('abort', () => {
                clearTimeout(timer)
                resolve(undefined)
            }, { once: true })
        })
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
