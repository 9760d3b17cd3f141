/** Our own phone is asked for history. It answers with a history notice whose session is the request's id, or never. */
import { jidNormalizedUser, proto } from './engine.js'

const { HISTORY_SYNC_ON_DEMAND } = proto.Message.PeerDataOperationRequestType
const { PEER_DATA_OPERATION_REQUEST_MESSAGE } = proto.Message.ProtocolMessage.Type

/**
 * What the engine's `fetchMessageHistory` sends, except that the daemon may choose the id: then it knows the request
 * before any answer can come.
 * @param {import('./session.js').Session} session
 * @param {{chat: string, anchor: {id: string, fromMe: boolean}, time: number, count: number, id?: string,
 *     fresh?: boolean}} what `time` is the anchor's, in the unit that the phone is to see; `fresh`: in a new Signal
 *     session. The engine keeps a session's step after it has sent: one that was killed in between sends what the phone
 *     cannot read any more, for as long as the phone says nothing by itself.
 * @returns {Promise<string>} the id of the request
 */
export async function requestHistory({ me, sock }, { chat, anchor, time, count, id, fresh }) {
    const phone = jidNormalizedUser(me?.id)
    if (fresh) await sock.assertSessions([phone], true)
    const peerDataOperationRequestMessage = {
        historySyncOnDemandRequest: {
            chatJid: chat,
            oldestMsgId: anchor.id,
            oldestMsgFromMe: anchor.fromMe,
            oldestMsgTimestampMs: time,
            onDemandMsgCount: count
        },
        peerDataOperationRequestType: HISTORY_SYNC_ON_DEMAND
    }
    const protocolMessage = { peerDataOperationRequestMessage, type: PEER_DATA_OPERATION_REQUEST_MESSAGE }
    return sock.relayMessage(phone, { protocolMessage }, {
        messageId: id,
        additionalAttributes: { category: 'peer', push_priority: 'high_force' },
        additionalNodes: [{ tag: 'meta', attrs: { appdata: 'default' } }]
    })
}
