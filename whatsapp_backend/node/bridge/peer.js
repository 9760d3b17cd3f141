/** What our own phone is asked for. It answers with a message of its own, or never does. */
import { jidNormalizedUser, proto } from './engine.js'

const { PEER_DATA_OPERATION_REQUEST_MESSAGE } = proto.Message.ProtocolMessage.Type

/**
 * What the engine's own requests are sent as, except that the daemon may choose the id: then it knows the request
 * before any answer can come.
 * @param {import('./session.js').Session} session
 * @param {import('baileys').proto.Message.IPeerDataOperationRequestMessage} peerDataOperationRequestMessage
 * @param {{id?: string, fresh?: boolean}} how `fresh`: in a new Signal session. The engine keeps a session's step after
 *     it has sent: one that was killed in between sends what the phone cannot read any more, for as long as the phone
 *     says nothing by itself.
 * @returns {Promise<string>} the id of the request
 */
export async function askPhone({ me, sock }, peerDataOperationRequestMessage, { id, fresh }) {
    const phone = jidNormalizedUser(me?.id)
    if (fresh) await sock.assertSessions([phone], true)
    const protocolMessage = { peerDataOperationRequestMessage, type: PEER_DATA_OPERATION_REQUEST_MESSAGE }
    return sock.relayMessage(phone, { protocolMessage }, {
        messageId: id,
        additionalAttributes: { category: 'peer', push_priority: 'high_force' },
        additionalNodes: [{ tag: 'meta', attrs: { appdata: 'default' } }]
    })
}
