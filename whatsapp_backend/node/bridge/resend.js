/** What could not be decrypted is asked for again: by recipients of what we sent, and by us of our own phone. */
import { jidNormalizedUser, isLidUser, proto } from './engine.js'
import { askPhone } from './peer.js'
import { sentSource } from './send.js'

// Who asks for something older got it on another device long ago, and would see an old message come up anew.
const MAX_AGE_S = 3 * 24 * 3600

/**
 * Baileys' `getMessage`.
 * @param {import('./link.js').Link} link
 * @param {() => import('./engine.js').WASocket} sock
 */
export function finderOfSent(link, sock) {
    return async (/** @type {import('baileys').WAMessageKey} */ { remoteJid, id }) => {
        if (!remoteJid || !id) return undefined
        for (const chat of await namesOf(jidNormalizedUser(remoteJid), sock())) {
            const found = await link.find(sentSource({ chat, id }))
            if (found?.form === 'web') return recent(proto.WebMessageInfo.decode(found.raw))
        }
        return undefined
    }
}

/**
 * The chat may be asked for under its other identity.
 * @param {string} chat
 * @param {import('./engine.js').WASocket} sock
 */
async function namesOf(chat, { signalRepository: { lidMapping } }) {
    const other = isLidUser(chat) ? await lidMapping.getPNForLID(chat) : await lidMapping.getLIDForPN(chat)
    return other ? [chat, jidNormalizedUser(other)] : [chat]
}

/** @param {import('baileys').proto.WebMessageInfo} info */
function recent({ message, messageTimestamp }) {
    const age = Date.now() / 1000 - Number(messageTimestamp)
    return age < MAX_AGE_S && message ? message : undefined
}

const { PLACEHOLDER_MESSAGE_RESEND } = proto.Message.PeerDataOperationRequestType

/**
 * Ask our own phone to send a message again. The engine's own request waits for two seconds, and swallows a second one
 * for the same id.
 * @param {import('./session.js').Session} session
 * @param {{remoteJid: string, fromMe: boolean, id: string, participant?: string}} key
 * @param {{id?: string, fresh?: boolean}} [how]
 * @returns {Promise<string>} the id of the request
 */
export function requestResend(session, { remoteJid, fromMe, id, participant }, how = {}) {
    const request = {
        placeholderMessageResendRequest: [{ messageKey: { remoteJid, fromMe, id, participant } }],
        peerDataOperationRequestType: PLACEHOLDER_MESSAGE_RESEND
    }
    return askPhone(session, request, how)
}
