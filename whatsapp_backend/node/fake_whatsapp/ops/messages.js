/** Messages and bare stanzas towards linked devices. */
import { setImmediate as breathe } from 'node:timers/promises'
import { changeIn } from '../changes.js'
import { content, storedText } from '../content.js'
import { isGroup, messageId, nowS, stanzaId } from '../ids.js'
import { fromJson } from '../nodes.js'
import { deliver, enqueue, isGroupChat } from '../outgoing.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */

const BULK_BREATH = 50
/** @type {import('../person.js').Group} */
const STATUS = {
    id: 'status@broadcast', subject: '', members: [], addressing: 'pn', admins: new Set(), time: 0
}

/** @param {FakeWhatsApp} server @param {string} ref a number, a JID, a group or `status@broadcast` */
function chatOf({ world }, ref) {
    if (ref === 'status@broadcast') return STATUS
    return isGroup(ref) ? world.group(ref) : world.person(ref)
}

/** Who says it, where and when. @param {FakeWhatsApp} server @param {Args} args */
function placeOf(server, args) {
    const { world } = server
    const account = world.account(args.account)
    const chat = chatOf(server, args.chat)
    const fromMe = args.from_me ?? false
    const ingroup = isGroupChat(chat)
    if (ingroup && !fromMe && !args.from) throw new Error('a group message needs `from`')
    const sender = fromMe ? account : world.person(args.from ?? args.chat)
    /** @type {'pn' | 'lid'} */
    const addressing = args.addressing ?? (ingroup ? chat.addressing : 'pn')
    return { account, chat, sender, fromMe, addressing, time: args.time ?? nowS() }
}

/** @param {FakeWhatsApp} server @param {Args} args @returns {import('../outgoing.js').Outgoing} */
function outgoing(server, args) {
    const place = placeOf(server, args)
    const { sender, chat, fromMe, addressing, time } = place
    const id = args.id ?? messageId()
    const change = changeIn(args, place, server.world)
    const usual = isGroupChat(chat) ? 'sender-key' : 'signal'
    return {
        id, time, sender, chat, fromMe, addressing, alt: args.alt ?? true,
        message: change?.message ?? content(args, server.cdn, id),
        encryption: args.encryption ?? usual, unavailable: args.unavailable,
        corrupt: args.corrupt, attrs: { ...change?.edit && { edit: change.edit }, ...args.attrs }
    }
}

/** What the phone keeps of it. @param {FakeWhatsApp} server @param {import('../outgoing.js').Outgoing} sent
 * @param {string} account */
function remember({ world }, sent, account) {
    const { chat, sender, fromMe, id, time, message, addressing } = sent
    const key = isGroupChat(chat) ? chat.id : chat.number
    world.person(account).chats.add(key, {
        id, from_me: fromMe, time, message, participant: isGroupChat(chat) ? sender.as(addressing) : undefined,
        name: sender.name
    })
}

/** @param {FakeWhatsApp} server @param {Args} args */
async function sendOne(server, args) {
    const sent = outgoing(server, args)
    remember(server, sent, args.account)
    const { world } = server
    const devices = args.device === undefined
        ? world.account(args.account).devices() : [world.companion(args.account, args.device)]
    let at
    for (const companion of devices) at = await deliver(companion, sent)
    const { id, time, chat, sender, addressing, fromMe } = sent
    return {
        id, time, at, chat: isGroupChat(chat) ? chat.id : chat.as(addressing), from_me: fromMe,
        participant: isGroupChat(chat) ? sender.as(addressing) : undefined, text: storedText(sent.message)
    }
}

/** @param {FakeWhatsApp} server @param {Args} args many messages; see README.md for the recipe */
async function sendMany(server, args) {
    const { count, prefix, text = 'message', start_time, step_s: step = 0, list = false, ...rest } = args
    const start = start_time ?? nowS()
    /** @type {string[]} */
    const chats = args.chats ?? [args.chat]
    const sent = []
    for (let i = 0; i < count; i += 1) {
        const one = await sendOne(server, {
            ...rest, chat: chats[i % chats.length], id: `${prefix}-${i}`, text: `${text} ${i}`,
            time: start + Math.floor(i * step)
        })
        if (list) sent.push(one)
        // Encryption only ever waits for itself: without this the sockets would not be served until the end.
        if (i % BULK_BREATH === BULK_BREATH - 1) await breathe()
    }
    return { count, prefix, text, chats, start_time: start, step_s: step, sent: list ? sent : undefined }
}

/** @param {FakeWhatsApp} server @param {Args} args the very same stanza once more, not queued unless `queued` */
function duplicate({ world }, args) {
    const companion = world.companion(args.account, args.device)
    const stanza = companion.sent.get(args.id)?.stanza
    if (!stanza) throw new Error(`${args.id} was not sent`)
    if (args.queued) enqueue(companion, stanza)
    else if (companion.connection) companion.connection.send(stanza)
    else throw new Error('not connected')
    return { id: args.id }
}

/** @param {FakeWhatsApp} server @param {Args} args any stanza at all; queued unless told otherwise */
function stanza({ world }, args) {
    const companion = world.companion(args.account, args.device)
    const built = fromJson(args.node)
    if (args.queued === false) {
        if (!companion.connection) throw new Error('not connected')
        companion.connection.send(built)
    } else {
        built.attrs.id ??= stanzaId()
        enqueue(companion, built)
    }
    return { id: built.attrs.id }
}

/** @param {FakeWhatsApp} server @param {Args} args what waits for a device is lost: announced, and never delivered */
function lose({ world }, args) {
    const { queue } = world.companion(args.account, args.device)
    return { lost: args.ids.reduce((/** @type {number} */ sum, /** @type {string} */ id) => sum + queue.lose(id), 0) }
}

export const MESSAGE_OPS = { message: sendOne, messages: sendMany, duplicate, stanza, lose }
