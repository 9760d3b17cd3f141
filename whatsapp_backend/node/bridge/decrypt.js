/**
 * The one commit: a decrypted message joins the transaction of the ratchet step that decrypted it.
 *
 * Baileys decrypts inside `keys.transaction(…, key)`. Here an outer transaction of the same key is opened first; the
 * inner one joins it, and so does the entry that is set after it. What was set reaches the raw store as one `set`.
 */
import { makeLibSignalRepository } from './engine.js'
import { debtEntry, plaintextEntries } from './entries.js'
import { ENTRY_TYPE } from './keys.js'
import { encSource } from './stanzas.js'

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

    /**
     * Expect every one of these to be decrypted, and call back when all of them have become entries.
     * @param {BinaryNode} node
     * @param {Uint8Array[]} ciphertexts
     * @param {() => void} allSettled
     */
    expect(node, ciphertexts, allSettled) {
        const open = new Set(ciphertexts)
        for (const ciphertext of ciphertexts) {
            const settled = () => {
                if (open.delete(ciphertext) && !open.size) allSettled()
            }
            this.#tickets.set(ciphertext, { node, settled })
        }
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
 * @returns {import('baileys').SocketConfig['makeSignalRepository']}
 */
export function signalRepositoryMaker({ tickets, link, me, onNotice }) {
    return (auth, logger, lookUp) => {
        const keys = /** @type {import('baileys').SignalKeyStoreWithTransaction} */ (auth.keys)
        const inner = makeLibSignalRepository(auth, logger, patient(lookUp))
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
            try {
                plaintext = await keys.transaction(async () => {
                    const raw = await work()
                    entries = plaintextEntries({ node, raw, form: 'padded', source: encSource(ciphertext), me: me() })
                    const bySource = Object.fromEntries(entries.map(entry => [entry.source, entry]))
                    await keys.set(/** @type {any} */ ({ [ENTRY_TYPE]: bySource }))
                    return raw
                }, transactionKey)
            } catch (error) {
                plaintext = await recover(ciphertext, error)
            }
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
            if (found?.form === 'padded') return found.raw
            const detail = error instanceof Error ? error.message : undefined
            await link.commit({ entries: [debtEntry({ node, reason: 'undecryptable', detail, ciphertext, me: me() })] })
            settled()
            throw error
        }
    }
}

/**
 * Looking up an identity may fail when the server is busy. The engine would refuse the message for it, before it was
 * ever journaled; without the identity it merely decrypts under the one it has.
 * @template {(jids: string[]) => Promise<any>} F
 * @param {F | undefined} lookUp
 */
function patient(lookUp) {
    return async (/** @type {string[]} */ jids) => {
        try {
            return await lookUp?.(jids)
        } catch {
            return undefined
        }
    }
}
