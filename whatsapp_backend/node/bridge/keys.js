/**
 * The raw Signal key store: reads and writes go over the link. Baileys puts its own transactions on top, which hand
 * everything set in one of them to `set` at once, so that it is one commit.
 *
 * The cache holds text, never objects: Baileys changes what it reads. It is filled after the daemon's answer only; a
 * value that is on its way is asked for, and the daemon, first in first out, answers with it.
 */
import { BufferJSON, proto } from './engine.js'
import { TextCache } from './lru.js'

/** The key type under which journal entries join a transaction. */
export const ENTRY_TYPE = 'wa-entry'

const VERSIONS = 'app-state-sync-version'
export const APP_STATE_KEY = 'app-state-sync-key'
const CACHE = { maxEntries: 5000, maxChars: 8 * 1024 * 1024 }

/** @typedef {Record<string, Record<string, any>>} Mutations */

/**
 * @param {string} type
 * @param {string} text
 */
function revive(type, text) {
    const value = JSON.parse(text, BufferJSON.reviver)
    return type === APP_STATE_KEY ? proto.Message.AppStateSyncKeyData.fromObject(value) : value
}

/** @param {unknown} value */
const toText = value => (value == null ? null : JSON.stringify(value, BufferJSON.replacer))

export class KeyStore {
    #cache = new TextCache(CACHE)
    /** @type {Map<string, number>} keys that are in commits on their way, with how often */
    #dirty = new Map()
    /** @type {Record<string, string | null>} */
    #lateVersions = {}
    #link

    /** @param {import('./link.js').Link} link */
    constructor(link) {
        this.#link = link
    }

    /**
     * @param {string} type
     * @param {string[]} ids
     * @returns {Promise<Record<string, any>>}
     */
    async get(type, ids) {
        /** @type {Record<string, any>} */
        const values = {}
        const missing = []
        for (const id of ids) {
            const text = this.#known(type, id)
            if (text === undefined) missing.push(id)
            else if (text !== null) values[id] = revive(type, text)
        }
        if (!missing.length) return values
        const got = await this.#link.get(type, missing)
        for (const id of missing) {
            const text = Object.hasOwn(got, id) ? got[id] : null
            if (!this.#dirty.has(`${type} ${id}`)) this.#cache.set(`${type} ${id}`, text)
            if (text !== null) values[id] = revive(type, text)
        }
        return values
    }

    /**
     * @param {Mutations} data
     * @returns {Promise<void>}
     */
    async set({ [ENTRY_TYPE]: entries, [VERSIONS]: versions, ...data }) {
        if (versions) this.#setLate(versions)
        const keys = Object.fromEntries(Object.entries(data)
            .map(([type, values]) => /** @type {const} */ ([type, textsOf(values)]))
            .filter(([, values]) => Object.keys(values).length))
        const hasKeys = Object.keys(keys).length > 0
        if (!hasKeys && !entries) return
        await this.#commit(keys, entries && Object.values(entries))
    }

    /**
     * @param {string} type
     * @param {string} id
     */
    #known(type, id) {
        if (type === VERSIONS && Object.hasOwn(this.#lateVersions, id)) return this.#lateVersions[id]
        return this.#cache.get(`${type} ${id}`)
    }

    /**
     * Baileys commits the version of an app-state collection, then emits what changed in it. The other way round
     * nothing is lost to a crash in between: so the version waits until those events are out, which is before
     * anything but promises runs.
     * @param {Record<string, any>} versions
     */
    #setLate(versions) {
        const first = !Object.keys(this.#lateVersions).length
        Object.assign(this.#lateVersions, textsOf(versions))
        if (!first) return
        setImmediate(() => {
            const late = this.#lateVersions
            this.#lateVersions = {}
            void this.#commit({ [VERSIONS]: late })
        })
    }

    /**
     * @param {Record<string, Record<string, string | null>>} keys
     * @param {any[]} [entries]
     */
    async #commit(keys, entries) {
        const names = Object.entries(keys).flatMap(([type, values]) =>
            Object.entries(values).map(([id, text]) => /** @type {const} */ ([`${type} ${id}`, text])))
        for (const [name] of names) {
            this.#cache.delete(name)
            this.#dirty.set(name, (this.#dirty.get(name) ?? 0) + 1)
        }
        await this.#link.commit({ keys: names.length ? keys : undefined, entries })
        for (const [name, text] of names) {
            const others = (this.#dirty.get(name) ?? 1) - 1
            if (others) this.#dirty.set(name, others)
            else {
                this.#dirty.delete(name)
                this.#cache.set(name, text)
            }
        }
    }
}

/** @param {Record<string, any>} values */
const textsOf = values => Object.fromEntries(Object.entries(values).map(([id, value]) => [id, toText(value)]))
