/** Sends a text. It is in the journal before it leaves, so that what was sent is never unknown here. */
import { generateMessageIDV2, generateWAMessage, proto, SILENT } from './engine.js'
import { updateEntry, webEntry } from './entries.js'

/** @param {{chat: string, id: string}} of */
export const sentSource = ({ chat, id }) => `sent:${chat}:${id}`

/**
 * @param {import('./session.js').Session} session
 * @param {{chat: string, text: string, id?: string}} what
 */
export async function sendText(session, { chat, text, id }) {
    const { link, seen, sock } = session
    if (id && await isTaken(link, { chat, text, id })) throw new Error('this id was used for another text')
    const userJid = session.me?.id ?? ''
    const messageId = id ?? generateMessageIDV2(userJid)
    const options = /** @type {any} */ ({ userJid, messageId, logger: SILENT })
    const message = await generateWAMessage(chat, { text }, options)
    seen.add(messageId)
    await link.commit({ entries: [webEntry(message, { source: sentSource({ chat, id: messageId }), origin: 'sent' })] })
    try {
        await sock.relayMessage(chat, /** @type {any} */ (message.message), { messageId })
    } catch (error) {
        if (isUnknown(error)) throw error
        await link.commit({ entries: [refusal(message.key, session.nextSource())] })
        throw error
    }
    return { id: messageId, time: Number(message.messageTimestamp) }
}

/**
 * The same text under the same id is the same message, and may be sent again.
 * @param {import('./link.js').Link} link
 * @param {{chat: string, text: string, id: string}} what
 */
async function isTaken(link, { chat, text, id }) {
    const found = await link.find(sentSource({ chat, id }))
    if (found?.form !== 'web') return false
    const { message } = proto.WebMessageInfo.decode(found.raw)
    return (message?.extendedTextMessage?.text ?? message?.conversation) !== text
}

const TIMED_OUT = 408
const CONNECTION_CLOSED = 428

/**
 * Whether it may have been carried out all the same: no answer is no refusal.
 * @param {any} error
 */
export const isUnknown = error => [TIMED_OUT, CONNECTION_CLOSED].includes(error?.output?.statusCode)

/**
 * @param {any} key
 * @param {string} source
 */
const refusal = (key, source) => updateEntry('messages.update', [{ key, update: { status: 0 } }], source)
