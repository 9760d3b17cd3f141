/**
 * The one commit: a decrypted message joins the transaction of the ratchet step that decrypted it.
 *
 * Baileys decrypts inside `keys.transaction(…, key)`. Here an outer transaction of the same key is opened first; the
 * inner one joins it, and so does the entry that is set after it. What was set reaches the raw store as one `set`.
 */
import { makeLibSignalRepository } from './engine.js'
import { debtEntry, envelopeOf, plaintextEntries } from './entries.js'
import { lenient, patient } from './identities.js'
import { APP_STATE_KEY, ENTRY_TYPE } from './keys.js'
import { messageOf, sharedKeysIn } from './messages.js'
import { addressOf, encSource } from './stanzas.js'
import { tidy } from './tidy.js'

/** @typedef {import('./engine.js').BinaryNode} BinaryNode */

/**
 * @typedef {object} Ticket
 * @property {BinaryNode} node the stanza that a ciphertext came in
 * @property {() => void} settled call when the ciphertext has become an entry
 */

/** Which stanza a ciphertext came in: Baileys passes the very same bytes object on. */
export class Tickets {
    /** @type {WeakMap<Uint8Array, Ticket>} */
    #tickets = new WeakMap()
    /** @type {WeakMap<object, Ticket>} by the attributes of a stanza of which something is no entry yet */
    #unsettled = new WeakMap()

    /**
     * Expect every one of these to be decrypted, and call back when all of them have become entries.
     * @param {BinaryNode} node
     * @param {Uint8Array[]} ciphertexts
     * @param {() => void} allSettled
     */
    expect(node, ciphertexts, allSettled) {
        const open = new Set(ciphertexts)
        const conclude = () => {
            this.#unsettled.delete(node.attrs)
            allSettled()
        }
        for (const ciphertext of ciphertexts) {
            const settled = () => {
                if (open.delete(ciphertext) && !open.size) conclude()
            }
            this.#tickets.set(ciphertext, { node, settled })
        }
        const settled = () => {
            if (!open.size) return
            open.clear()
            conclude()
        }
        this.#unsettled.set(node.attrs, { node, settled })
    }

    /**
     * The stanza with these attributes, if something of it has become no entry yet.
     * @param {object} attrs the very same object
     */
    unsettled(attrs) {
        return this.#unsettled.get(attrs)
    }

    /** @param {Uint8Array} ciphertext */
    of(ciphertext) {
        return this.#tickets.get(ciphertext) ?? { node: { tag: 'message', attrs: {} }, settled() {} }
    }
}

/**
 * Baileys' `makeSignalRepository`, with the commit around decryption.
 * @param {object} of
 * @param {Tickets} of.tickets
 * @param {import('./link.js').Link} of.link
 * @param {() => import('./engine.js').Me | undefined} of.me
 * @param {(entry: import('./entries.js').Entry) => void} of.onNotice a history notice is on disk
 * @param {(id: string) => void} of.onAppStateKey keys of app state are on disk, this the newest of them
 * @returns {import('baileys').SocketConfig['makeSignalRepository']}
 */
export function signalRepositoryMaker({ tickets, link, me, onNotice, onAppStateKey }) {
    return (auth, logger, lookUp) => {
        const keys = /** @type {import('baileys').SignalKeyStoreWithTransaction} */ (auth.keys)
        const inner = lenient(makeLibSignalRepository(auth, logger, patient(lookUp)), me)
        return {
            ...inner,
            decryptMessage: args => decrypt(args.ciphertext, args.jid, () => inner.decryptMessage(args)),
            decryptGroupMessage: args => decrypt(args.msg, args.group, () => inner.decryptGroupMessage(args))
        }

        /**
         * @param {Uint8Array} ciphertext
         * @param {string} transactionKey the one that Baileys uses inside
         * @param {() => Promise<Uint8Array>} work
         */
        async function decrypt(ciphertext, transactionKey, work) {
            const { node, settled } = tickets.of(ciphertext)
            /** @type {import('./entries.js').Entry[]} */
            let entries = []
            let plaintext
            /** @type {Record<string, any>} */
            let shared = {}
            try {
                plaintext = await keys.transaction(async () => {
                    const raw = await work()
                    entries = plaintextEntries({ node, raw, form: 'padded', source: encSource(ciphertext), me: me() })
                    const bySource = Object.fromEntries(entries.map(entry => [entry.source, entry]))
                    // The engine keeps them too, but only after it has acknowledged the message.
                    shared = sharedKeys({ node, raw, me: me() })
                    if (Object.keys(shared).length) await keys.set({ [APP_STATE_KEY]: shared })
                    await keys.set(/** @type {any} */ ({ [ENTRY_TYPE]: bySource }))
                    return raw
                }, transactionKey)
            } catch (error) {
                plaintext = await recover(ciphertext, error)
                shared = sharedKeys({ node, raw: plaintext, me: me() })
            }
            const newest = Object.keys(shared).at(-1)
            if (newest) onAppStateKey(newest)
            settled()
            for (const entry of entries) if (entry.kind === 'history-notice') onNotice(entry)
            return plaintext
        }

        /**
         * A message that was decrypted before a crash cannot be decrypted again: the ratchet moved on. It is in the
         * journal; handed on from there, the engine repeats its receipt and all that follows from it.
         * @param {Uint8Array} ciphertext
         * @param {unknown} error
         */
        async function recover(ciphertext, error) {
            const { node, settled } = tickets.of(ciphertext)
            const found = await link.find(encSource(ciphertext))
            if (found?.form === 'padded' && isOf(found.envelope, node)) return found.raw
            const detail = error instanceof Error ? error.message : undefined
            await link.commit({ entries: [debtEntry({ node, reason: 'undecryptable', detail, ciphertext, me: me() })] })
            settled()
            throw error
        }
    }
}

/**
 * Whether what was found came in this stanza: the same ciphertext in another one is a debt of its own.
 * @param {Record<string, string> | undefined} envelope
 * @param {BinaryNode} node
 */
const isOf = (envelope, node) => !envelope || addressOf(envelope) === addressOf(tidy(node.attrs))

/**
 * @param {{node: BinaryNode, raw: Uint8Array, me: import('./engine.js').Me | undefined}} of
 * @returns {Record<string, any>}
 */
function sharedKeys({ node, raw, me }) {
    if (node.attrs.category !== 'peer') return {}
    try {
        return sharedKeysIn(messageOf({ raw, form: 'padded', envelope: envelopeOf(node), me }))
    } catch {
        return {} // its entry says what is wrong with it
    }
}
