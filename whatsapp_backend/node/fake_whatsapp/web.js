/** A stored message as the phone writes it into history. */
import { proto } from 'baileys'
import { isGroup } from './ids.js'

/** A conversation's other name. @param {import('./person.js').World} world @param {string} id */
export function aliases(world, id) {
    const person = isGroup(id) ? undefined : world.find(id)
    if (!person) return {}
    return id.endsWith('@lid') ? { pnJid: person.pn() } : { lidJid: person.lid() }
}

const { Status } = proto.WebMessageInfo

/**
 * @param {string} chat the conversation's JID @param {import('./chats.js').Stored} stored
 * @returns {proto.IWebMessageInfo}
 */
export function webMessage(chat, stored) {
    const { id, from_me: fromMe, time, participant, name, text, web } = stored
    const author = participant && isGroup(chat) && !fromMe ? participant : undefined
    const row = {
        key: { remoteJid: chat, fromMe, id, participant: author },
        messageTimestamp: time,
        status: fromMe ? Status.DELIVERY_ACK : undefined,
        pushName: fromMe ? undefined : name,
        participant: author,
        message: stored.message ?? { conversation: text ?? '' }
    }
    return web ? proto.WebMessageInfo.fromObject({ ...row, ...web }) : row
}
