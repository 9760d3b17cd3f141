/**
 * Whose number belongs to which LID is asked of the server before a message is decrypted. Whatever goes wrong there,
 * the engine would refuse the message, which was never journaled; without the answer it merely decrypts under the
 * identity that it has.
 */
import { areJidsSameUser, isLidUser, jidNormalizedUser } from './engine.js'

/** @typedef {ReturnType<typeof import('./engine.js').makeLibSignalRepository>} Repository */
/** @typedef {{lid: string, pn: string}} Mapping */

/**
 * A look-up that never fails, and answers for nobody who was not asked for: the engine falls over that.
 * @param {((jids: string[]) => Promise<Mapping[] | undefined>) | undefined} lookUp
 */
export function patient(lookUp) {
    return async (/** @type {string[]} */ jids) => {
        try {
            const found = await lookUp?.(jids)
            return found?.filter(({ pn }) => jids.includes(pn))
        } catch {
            return undefined
        }
    }
}

/**
 * A repository whose identities never reject, and never learn that somebody else is us.
 * @param {Repository} repository
 * @param {() => import('./engine.js').Me | undefined} me
 * @returns {Repository}
 */
export function lenient(repository, me) {
    const { lidMapping } = repository
    const { getLIDForPN, getPNForLID, storeLIDPNMappings } = lidMapping
    const { migrateSession } = repository
    lidMapping.getLIDForPN = pn => orElse(() => getLIDForPN.call(lidMapping, pn), null)
    lidMapping.getPNForLID = lid => orElse(() => getPNForLID.call(lidMapping, lid), null)
    lidMapping.storeLIDPNMappings = pairs =>
        orElse(() => storeLIDPNMappings.call(lidMapping, pairs.filter(pair => !isMixedUp(pair, me()))), undefined)
    return {
        ...repository,
        async migrateSession(from, to) {
            const none = { migrated: 0, skipped: 0, total: 0 }
            return isMixedUp({ lid: to, pn: from }, me()) ? none : orElse(() => migrateSession(from, to), none)
        }
    }
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @param {T} otherwise
 */
async function orElse(work, otherwise) {
    try {
        return await work()
    } catch {
        return otherwise
    }
}

/**
 * Whether one side is us and the other is not: of our own messages the engine takes our number for the chat's.
 * @param {Mapping} pair either way round
 * @param {import('./engine.js').Me | undefined} me
 */
function isMixedUp({ lid, pn }, me) {
    if (!me?.lid || !me.id) return false
    const [mine, number] = isLidUser(lid) ? [lid, pn] : [pn, lid]
    return areJidsSameUser(mine, me.lid) !== areJidsSameUser(number, me.id)
}

/**
 * Without a device; what is no JID stays as it is.
 * @param {string | undefined} jid
 */
export const bare = jid => jidNormalizedUser(jid) || jid

/**
 * Whether it is us, under either identity.
 * @param {string | null | undefined} jid
 * @param {import('./engine.js').Me | undefined} me
 */
export const isUs = (jid, me) =>
    Boolean(jid) && [me?.id, me?.lid].some(mine => Boolean(mine) && areJidsSameUser(jid ?? '', mine))
