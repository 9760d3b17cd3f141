/** What a phone tells the devices linked to it. */
import { messageId, nowS } from './ids.js'
import { deliver } from './outgoing.js'

/** @typedef {import('baileys').proto.Message.IProtocolMessage} ProtocolMessage */

/**
 * A message from a phone to its own linked device.
 * @param {import('./companion.js').Companion} companion @param {ProtocolMessage} protocolMessage @param {string} [id]
 */
export async function toCompanion(companion, protocolMessage, id = messageId()) {
    const { owner } = companion
    await deliver(companion, {
        id, time: nowS(), sender: owner, chat: owner, fromMe: true, addressing: 'pn', alt: false, peer: true,
        encryption: 'signal', message: { protocolMessage }
    })
    return id
}
