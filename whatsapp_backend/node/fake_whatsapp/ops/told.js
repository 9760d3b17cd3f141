/** Receipts and calls towards linked devices. */
import { callStanza } from '../calls.js'
import { isGroup, messageId, nowS, stanzaId } from '../ids.js'
import { children, node } from '../nodes.js'
import { enqueueForAll } from '../outgoing.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {import('../person.js').Person} Person */
/** @typedef {Record<string, any>} Args */

/** @param {FakeWhatsApp} server @param {Args} args @param {Person} who */
function receiptAddress({ world }, args, who) {
    const { chat, addressing = 'pn', alt = false, own = false } = args
    /** @param {string} name @param {Person} person */
    const known = (name, person) => alt ? person.other(name, addressing) : {}
    if (chat !== undefined && isGroup(chat)) {
        return { from: chat, participant: args.users ? undefined : who.as(addressing),
            ...args.users ? {} : known('participant', who) }
    }
    if (!own) return { from: who.as(addressing), ...known('sender', who) }
    const whose = world.person(chat)
    return { from: who.as(addressing), recipient: whose.as(addressing), ...known('peer_recipient', whose) }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function receiptContent({ world }, { ids, users, addressing = 'pn', time }) {
    const [, ...others] = ids
    if (users) {
        const each = users.map((/** @type {Args} */ user) =>
            node('user', { jid: world.person(user.phone).as(addressing), t: user.time ?? time }))
        return ids.map((/** @type {string} */ key) => node('participants', { key }, each))
    }
    return others.length
        ? [node('list', {}, others.map((/** @type {string} */ id) => node('item', { id })))] : undefined
}

/** @param {FakeWhatsApp} server @param {Args} args somebody, or another device of the account, got or read something */
function receipt(server, args) {
    const { world } = server
    const { account, ids, type = 'delivery', own = false, time = nowS() } = args
    const who = own || args.users ? world.person(account) : world.person(args.from)
    const recipient = args.recipient && (/@/.test(args.recipient)
        ? args.recipient : world.person(args.recipient).as(args.addressing ?? 'pn'))
    const stanza = node('receipt', {
        ...receiptAddress(server, args, who), id: ids[0], t: time, type: type === 'delivery' ? undefined : type,
        ...recipient ? { recipient } : {}
    }, receiptContent(server, { ...args, time }))
    enqueueForAll(world.account(account), stanza)
    return { ids, type, time }
}

/** @param {FakeWhatsApp} server @param {Args} args what is heard of a call */
function call({ world }, args) {
    const time = args.time ?? nowS()
    const from = world.person(args.from)
    const id = args.id ?? messageId()
    const stanza = callStanza({
        id, time, from, by: args.by === undefined ? from : world.person(args.by), stanza: stanzaId(),
        group: args.group, what: args.what ?? 'offer', reason: args.reason, video: args.video ?? false,
        addressing: args.addressing ?? 'pn', alt: args.alt ?? true
    })
    enqueueForAll(world.account(args.account), stanza)
    return { id, time, what: children(stanza)[0].tag }
}

export const TOLD_OPS = { receipt, call }
