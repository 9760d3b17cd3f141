/** A page of history that a linked device asked for. A phone that cannot answer says nothing at all. */
import { proto } from 'baileys'
import { notifyHistory } from './history.js'
import { isGroup } from './ids.js'
import { aliases, webMessage } from './web.js'

const { EndOfHistoryTransferType: End } = proto.Conversation
const { HistorySyncType } = proto.HistorySync

/** @typedef {proto.Message.PeerDataOperationRequestMessage.IHistorySyncOnDemandRequest} Request */

/** Whether the anchor's time is in this phone's unit. @param {'any' | 's' | 'ms'} unit @param {number} time */
function unitFits(unit, time) {
    if (unit === 'any') return true
    return (time > 1e11) === (unit === 'ms')
}

/** @param {import('./server.js').FakeWhatsApp} server @param {string} chat @param {'same' | 'pn' | 'lid'} form */
function answeredAs(server, chat, form) {
    if (form === 'same' || isGroup(chat)) return chat
    return server.world.find(chat)?.as(form) ?? chat
}

/**
 * @param {import('./connection.js').Connection} connection @param {import('./companion.js').Companion} companion
 * @param {string} request @param {Request} asked
 */
export async function answerOnDemand(connection, companion, request, asked) {
    const { owner } = companion
    const { world } = connection.server
    const { form, as, unit, limit, strict, alias } = owner.onDemand
    const chat = asked.chatJid ?? ''
    const key = world.chatKey(chat)
    const count = Math.min(asked.onDemandMsgCount ?? limit, limit)
    const found = owner.chats.before(key, asked.oldestMsgId ?? '', count)
    const anchor = owner.chats.find(key, asked.oldestMsgId ?? '')
    const wrong = !found || !unitFits(unit, Number(asked.oldestMsgTimestampMs ?? 0)) ||
        (strict && anchor?.from_me !== Boolean(asked.oldestMsgFromMe))
    if (!owner.online || wrong) {
        connection.emit('on-demand-silence', { request, why: owner.online ? 'anchor' : 'offline' })
        return
    }
    const id = answeredAs(connection.server, chat, form)
    const conversation = {
        id,
        ...alias ? aliases(world, id) : {},
        messages: found.page.map(stored => ({ message: webMessage(id, stored) })),
        endOfHistoryTransferType: found.more
            ? End.COMPLETE_BUT_MORE_MESSAGES_REMAIN_ON_PRIMARY : End.COMPLETE_AND_NO_MORE_MESSAGE_REMAIN_ON_PRIMARY
    }
    const notice = await notifyHistory(connection.server.cdn, companion,
        { syncType: HistorySyncType.ON_DEMAND, conversations: [conversation] }, { as, session: request })
    const ids = found.page.map(each => each.id)
    connection.emit('on-demand-answer', { request, notice, chat: id, ids, more: found.more })
}
