/** Our own phone is asked for history. It answers with a history notice whose session is the request's id, or never. */
import { proto } from './engine.js'
import { askPhone } from './peer.js'

const { HISTORY_SYNC_ON_DEMAND } = proto.Message.PeerDataOperationRequestType

/**
 * @param {import('./session.js').Session} session
 * @param {{chat: string, anchor: {id: string, fromMe: boolean}, time: number, count: number, id?: string,
 *     fresh?: boolean}} what `time` is the anchor's, in the unit that the phone is to see
 * @returns {Promise<string>} the id of the request
 */
export function requestHistory(session, { chat, anchor, time, count, id, fresh }) {
    const request = {
        historySyncOnDemandRequest: {
            chatJid: chat,
            oldestMsgId: anchor.id,
            oldestMsgFromMe: anchor.fromMe,
            oldestMsgTimestampMs: time,
            onDemandMsgCount: count
        },
        peerDataOperationRequestType: HISTORY_SYNC_ON_DEMAND
    }
    return askPhone(session, request, { id, fresh })
}
