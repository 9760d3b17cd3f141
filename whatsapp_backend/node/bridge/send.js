/** Sends a text. It is in the journal before it leaves, so that what was sent is never unknown here. */
import { generateMessageIDV2, generateWAMessage, SILENT } from './engine.js'
import { updateEntry, webEntry } from './entries.js'

/** @param {{chat: string, id: string}} of */
export const sentSource = ({ chat, id }) => `sent:${chat}:${id}`

/**
 * @param {import('./session.js').Session} session
 * @param {{chat: string, text: string, id?: string}} what
 */
export async function sendText(session, { chat, text, id }) {
    const { link, seen, sock } = session
    const userJid = session.me?.id ?? ''
    const messageId = id ?? generateMessageIDV2(userJid)
    const options = /** @type {any} */ ({ userJid, messageId, logger: SILENT })
    const message = await generateWAMessage(chat, { text }, options)
    seen.add(messageId)
    await link.commit({ entries: [webEntry(message, { source: sentSource({ chat, id: messageId }), origin: 'sent' })] })
    try {
        await sock.relayMessage(chat, /** @type {any} */ (message.message), { messageId })
    } catch (error) {
        await link.commit({ entries: [refusal(message.key, session.nextSource())] })
        throw error
    }
    return { id: messageId, time: Number(message.messageTimestamp) }
}

/**
 * @param {any} key
 * @param {string} source
 */
const refusal = (key, source) => updateEntry('messages.update', [{ key, update: { status: 0 } }], source)
