/** What receipts, notifications and calls tell, under every identity that their attributes name. */
import { isJidGroup, isLidUser } from './engine.js'
import { bare, isUs } from './identities.js'
import { children } from './stanzas.js'
import { tidy } from './tidy.js'

/** @typedef {import('./engine.js').BinaryNode} BinaryNode */
/** @typedef {import('./engine.js').Me} Me */
/** @typedef {Record<string, string>} Attrs */

/**
 * What else is known of the key of a message that the engine derives.
 * @typedef {{of: string, key: Record<string, string>}} Known `of`: whom it is about
 */

/**
 * The other identity of somebody, where one of these attributes tells it.
 * @param {Attrs} attrs
 * @param {string | undefined} jid
 * @param {string[]} names of attributes, without their ending
 */
function other(attrs, jid, names) {
    const ending = isLidUser(bare(jid)) ? '_pn' : '_lid'
    const name = names.find(each => attrs[each + ending])
    return name && bare(attrs[name + ending])
}

/** @param {Attrs} attrs */
const timeOf = ({ t }) => Number(t) || 0

/**
 * Of one of our own devices the chat is the recipient; in a group it is the group.
 * @param {BinaryNode} node
 * @param {Me | undefined} me
 */
function receipt(node, me) {
    const { attrs } = node
    const inGroup = isJidGroup(attrs.from) || attrs.from?.endsWith('@broadcast')
    const own = isUs(attrs.participant || attrs.from, me)
    const ofOurs = own && !inGroup && attrs.recipient
    const chat = bare(ofOurs ? attrs.recipient : attrs.from)
    const names = ofOurs ? ['peer_recipient', 'recipient'] : ['sender']
    const users = usersIn(node)
    return {
        chat,
        chatAlt: inGroup ? undefined : other(attrs, chat, names),
        ids: users ? [...new Set(users.map(({ id }) => id))] : idsIn(node),
        participant: bare(attrs.participant),
        participantAlt: attrs.participant && other(attrs, attrs.participant, ['participant', 'sender']),
        recipient: bare(attrs.recipient),
        type: attrs.type || 'delivery',
        time: timeOf(attrs),
        own: own || undefined,
        users
    }
}

/** @param {BinaryNode} node */
function idsIn(node) {
    const items = children(node, 'list').flatMap(list => children(list, 'item'))
    return [node.attrs.id, ...items.map(({ attrs }) => attrs.id)].filter(Boolean)
}

/**
 * Several users in one receipt. The engine passes over it.
 * @param {BinaryNode} node
 */
function usersIn(node) {
    const users = children(node, 'participants').flatMap(list => children(list, 'user').map(({ attrs }) => ({
        jid: bare(attrs.jid),
        alt: other(attrs, attrs.jid, ['participant', 'user']),
        id: list.attrs.key || node.attrs.id,
        time: timeOf(attrs) || timeOf(node.attrs)
    })))
    const named = users.filter(({ jid, id }) => jid && id)
    return named.length ? named : undefined
}

/** @param {BinaryNode} node */
function notification({ attrs }) {
    return {
        type: attrs.type || '',
        from: attrs.from,
        id: attrs.id,
        participant: attrs.participant,
        participantAlt: attrs.participant && other(attrs, attrs.participant, ['participant', 'sender']),
        time: timeOf(attrs)
    }
}

/**
 * Whoever of the two speaks, the call is from the one who called.
 * @param {BinaryNode} node
 * @param {Me | undefined} me
 */
function call(node, me) {
    const { attrs } = node
    const what = children(node)[0] ?? { tag: '', attrs: {} }
    const inner = what.attrs
    const from = bare(inner['call-creator'] || inner.from || attrs.from)
    const spoken = from === bare(attrs.from) ? other(attrs, from, ['sender']) : undefined
    const group = inner['group-jid']
    const own = isUs(from, me)
    const withWhom = own && !isUs(attrs.from, me) ? bare(attrs.from) : from
    return {
        from,
        fromAlt: other(inner, from, ['caller']) ?? spoken,
        chat: group || withWhom,
        id: inner['call-id'] || attrs.id,
        time: timeOf(attrs),
        ...whatOf(what),
        group: Boolean(group) || inner.type === 'group' || undefined,
        own: own || undefined
    }
}

/** @param {BinaryNode} what */
function whatOf(what) {
    const { tag, attrs: { reason, media } } = what
    const isTimeout = tag === 'terminate' && reason === 'timeout'
    return {
        what: isTimeout ? 'timeout' : tag.replace(/^offer_notice$/, 'offer'),
        reason,
        video: media === 'video' || children(what, 'video').length > 0 || undefined
    }
}

/** @type {Record<string, (node: BinaryNode, me: Me | undefined) => Record<string, any>>} */
const TOLD = { receipt, notification, call }

/** @param {BinaryNode} node */
export const isTold = ({ tag }) => Object.hasOwn(TOLD, tag)

/**
 * @param {BinaryNode} node for which isTold
 * @param {Me | undefined} me
 */
export const told = (node, me) => TOLD[node.tag](node, me)

/**
 * What the message that the engine derives from a notification or a call does not say of its key.
 * @param {BinaryNode} node
 * @param {Record<string, any> | null} payload what it tells, if it could be read
 * @returns {Known & {id: string} | undefined}
 */
export function keyOfDerived({ tag, attrs }, payload) {
    if (!payload) return undefined
    const { id, from, participant, participantAlt, fromAlt, chat, group } = payload
    if (tag === 'notification' && participant) {
        return known(id, participant, { participantAlt, addressingMode: attrs.addressing_mode || undefined })
    }
    if (tag !== 'call') return undefined
    const ofGroup = group && from && isJidGroup(chat) // of a call of a group the engine knows the caller only
    const key = ofGroup ? { remoteJid: chat, participant: from, participantAlt: fromAlt } : { remoteJidAlt: fromAlt }
    return known(id, from ?? '', key)
}

/**
 * @param {string} id
 * @param {string} of
 * @param {Record<string, string | undefined>} fields
 */
function known(id, of, fields) {
    const key = tidy(fields)
    return Object.keys(key).length ? { id, of, key } : undefined
}

/**
 * The end of a call need not say again which group was called.
 * @param {import('./lru.js').Recent<Known>} derived by the id of the message that the engine will derive
 * @param {ReturnType<typeof keyOfDerived>} what
 */
export function remember(derived, what) {
    if (!what) return
    const { id, of, key } = what
    const before = derived.about(id)
    derived.add(id, { of, key: before?.key.remoteJid && !key.remoteJid ? before.key : key })
}
