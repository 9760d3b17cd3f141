/** What a message says, from the few words a test writes down. */
import { proto } from 'baileys'

/**
 * @typedef {{kind?: 'text' | 'image' | 'video' | 'document' | 'audio', text?: string, caption?: string,
 *   quote?: {id: string, from: string, text: string}, mime?: string, file_name?: string, seconds?: number,
 *   bytes?: string, message?: Record<string, unknown>}} Words
 */

const MEDIA = /** @type {const} */ ({
    image: { kind: 'Image', field: 'imageMessage', mime: 'image/jpeg', extra: { width: 640, height: 480 } },
    video: { kind: 'Video', field: 'videoMessage', mime: 'video/mp4', extra: { width: 640, height: 480, seconds: 7 } },
    document: { kind: 'Document', field: 'documentMessage', mime: 'application/pdf', extra: {} },
    audio: { kind: 'Audio', field: 'audioMessage', mime: 'audio/ogg; codecs=opus', extra: { seconds: 7, ptt: true } }
})

/** @param {Words} words */
function context({ quote }) {
    if (!quote) return undefined
    return { stanzaId: quote.id, participant: quote.from, quotedMessage: { conversation: quote.text } }
}

/** @param {Words} words @param {import('./cdn.js').Cdn} cdn @param {string} id */
function media(words, cdn, id) {
    const { kind, field, mime, extra } = MEDIA[/** @type {keyof typeof MEDIA} */ (words.kind)]
    const plaintext = words.bytes ? Buffer.from(words.bytes, 'base64') : Buffer.from(`content of ${id}`)
    const stored = cdn.store(kind, plaintext)
    return { [field]: {
        ...stored, ...extra, url: `https://mmg.whatsapp.net${stored.directPath}`, mimetype: words.mime ?? mime,
        caption: words.caption, contextInfo: context(words),
        ...words.seconds === undefined ? {} : { seconds: words.seconds },
        ...field === 'documentMessage' ? { fileName: words.file_name ?? `${id}.pdf`, title: words.file_name } : {}
    } }
}

/**
 * @param {Words} words @param {import('./cdn.js').Cdn} cdn @param {string} id
 * @returns {proto.IMessage}
 */
export function content(words, cdn, id) {
    if (words.message) return proto.Message.fromObject(words.message)
    if (words.kind && words.kind !== 'text') {
        if (!(words.kind in MEDIA)) throw new Error(`unknown kind of message: ${words.kind}`)
        return media(words, cdn, id)
    }
    if (words.quote) return { extendedTextMessage: { text: words.text ?? '', contextInfo: context(words) } }
    return { conversation: words.text ?? '' }
}

/** The text of a message, for records. @param {proto.IMessage} message @returns {string | undefined} */
export function storedText(message) {
    return message.conversation || message.extendedTextMessage?.text || message.imageMessage?.caption ||
        message.videoMessage?.caption || message.documentMessage?.caption || undefined
}
