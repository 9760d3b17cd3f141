/** History from the phone: chunks as a test writes them, or a generated flood of any size. */
import { proto } from 'baileys'
import { notifyHistory } from '../history.js'
import { bareJid, isGroup, numberOf, nowS } from '../ids.js'
import { aliases, webMessage } from '../web.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */
/** @typedef {import('../chats.js').Stored} Stored */

const { HistorySyncType } = proto.HistorySync

/** @param {string | number} type */
function syncTypeOf(type) {
    const value = HistorySyncType[/** @type {keyof typeof HistorySyncType} */ (type)]
    if (value === undefined) throw new Error(`unknown sync type: ${type}`)
    return typeof value === 'number' ? value : Number(type)
}

/** @param {FakeWhatsApp} server @param {string} ref @param {'pn' | 'lid'} form */
function chatJid({ world }, ref, form) {
    return isGroup(ref) || ref.includes('@broadcast') ? ref : world.person(ref).as(form)
}

/** @param {FakeWhatsApp} server @param {string} account @param {Args} conversation */
function conversationOf(server, account, conversation) {
    const { chat, form = 'pn', name, unread = 0, end, messages = [], store: keep = true, alias = true } = conversation
    const id = chatJid(server, chat, form)
    /** @type {Stored[]} */
    const stored = messages.map((/** @type {Args} */ each) => ({
        ...each, from_me: each.from_me ?? false,
        message: each.message ? proto.Message.fromObject(each.message) : undefined
    }))
    const key = server.world.chatKey(id)
    if (keep) for (const each of stored) server.world.person(account).chats.add(key, each)
    const newestFirst = [...stored].sort((a, b) => b.time - a.time)
    return {
        id, name, unreadCount: unread, endOfHistoryTransferType: end, ...alias ? aliases(server.world, id) : {},
        conversationTimestamp: newestFirst[0]?.time,
        messages: newestFirst.map(each => ({ message: webMessage(id, each) }))
    }
}

/** @param {FakeWhatsApp} server @param {Args} args @param {Args} chunk @param {number} index @param {number} total */
async function sendChunk(server, args, chunk, index, total) {
    const type = syncTypeOf(chunk.sync_type ?? (index === 0 ? 'INITIAL_BOOTSTRAP' : 'RECENT'))
    const conversations = (chunk.conversations ?? []).map((/** @type {Args} */ each) =>
        conversationOf(server, args.account, each))
    const notice = await notifyHistory(server.cdn, server.world.companion(args.account, args.device), {
        syncType: type, conversations, chunkOrder: chunk.chunk_order ?? index + 1,
        progress: chunk.progress ?? Math.round(100 * (index + 1) / total),
        pushnames: (chunk.pushnames ?? []).map((/** @type {Args} */ { phone, name, form = 'pn' }) =>
            ({ id: server.world.person(phone).as(form), pushname: name })),
        phoneNumberToLidMappings: (chunk.mappings ?? []).map((/** @type {string} */ ref) => {
            const person = server.world.person(ref)
            return { pnJid: person.pn(), lidJid: person.lid() }
        })
    }, { as: chunk.as ?? args.as ?? 'inline', id: chunk.id })
    const ids = (chunk.conversations ?? []).flatMap((/** @type {Args} */ each) =>
        (each.messages ?? []).map((/** @type {Args} */ message) => message.id))
    const chats = conversations.map((/** @type {{id: string}} */ each) => bareJid(each.id))
    return { notice, sync_type: type, chats, ids }
}

/** The messages of generated conversations, one chunk at a time. @param {Args} recipe */
function* generatedChunks(recipe) {
    const { conversations, messages, chunk_messages: size, prefix, first_contact, start_time, step_s } = recipe
    const first = Number(numberOf(first_contact))
    /** @type {Args[]} */
    let open = []
    let filled = 0
    for (let c = 0; c < conversations; c += 1) {
        const own = Math.floor(messages / conversations) + (c < messages % conversations ? 1 : 0)
        for (let i = 0; i < own; i += 1) {
            if (open.at(-1)?.c !== c) {
                const number = first + c
                open.push({ c, chat: String(number), name: `Person ${number % 1000}`, messages: [] })
            }
            open.at(-1)?.messages.push({
                id: `${prefix}-${c}-${i}`, text: `${prefix} ${c} ${i}`, from_me: i % 4 === 3,
                time: start_time + i * step_s
            })
            filled += 1
            if (filled === size) {
                yield open
                open = []
                filled = 0
            }
        }
    }
    if (filled) yield open
}

/** @param {FakeWhatsApp} server @param {Args} args */
async function generate(server, args) {
    const recipe = {
        conversations: args.conversations, messages: args.messages, chunk_messages: args.chunk_messages ?? 500,
        prefix: args.prefix ?? 'H', first_contact: args.first_contact ?? '15551000000',
        start_time: args.start_time ?? nowS() - 30 * 24 * 3600, step_s: args.step_s ?? 60
    }
    const total = Math.ceil(recipe.messages / recipe.chunk_messages)
    const notices = []
    let index = 0
    for (const conversations of generatedChunks(recipe)) {
        const chunk = {
            sync_type: args.sync_type, conversations: conversations.map(each =>
                ({ ...each, form: args.form ?? 'pn', alias: args.alias ?? true, store: args.store ?? true }))
        }
        notices.push((await sendChunk(server, args, chunk, index, total)).notice)
        index += 1
    }
    return { ...recipe, chunks: index, notices }
}

/** @param {FakeWhatsApp} server @param {Args} args */
async function history(server, args) {
    if (!args.chunks) return generate(server, args)
    const sent = []
    for (const [index, chunk] of args.chunks.entries()) {
        sent.push(await sendChunk(server, args, chunk, index, args.chunks.length))
    }
    return { chunks: sent }
}

/** @param {FakeWhatsApp} server @param {Args} args messages that the phone has and nobody was told of */
function store(server, args) {
    const { account, chat, count, prefix = 'S', text = 'stored', step_s: step = 60 } = args
    const start = args.start_time ?? nowS() - 24 * 3600
    const key = server.world.chatKey(chatJid(server, chat, 'pn'))
    /** @type {Stored[]} */
    const messages = args.messages ?? Array.from({ length: count }, (_, i) => ({
        id: `${prefix}-${i}`, text: `${text} ${i}`, from_me: i % 4 === 3, time: start + i * step
    }))
    const kept = messages.map(each => ({ ...each, from_me: each.from_me ?? false }))
    for (const each of kept) server.world.person(account).chats.add(key, each)
    return { chat: key, messages: kept }
}

export const HISTORY_OPS = { history, store }
