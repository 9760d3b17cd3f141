/** History from the phone: one chunk as a notification, with its bytes inside or on the media host. */
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { proto } from 'baileys'
import { toCompanion } from './phone.js'

const compress = promisify(deflate)

/**
 * @param {import('./cdn.js').Cdn} cdn @param {import('./companion.js').Companion} companion
 * @param {proto.IHistorySync} sync
 * @param {{as: 'inline' | 'blob', session?: string, id?: string}} how
 * @returns {Promise<string>} the id of the notification
 */
export async function notifyHistory(cdn, companion, sync, { as, session, id }) {
    const bytes = await compress(proto.HistorySync.encode(/** @type {proto.HistorySync} */ (sync)).finish())
    const content = as === 'inline' ? { initialHistBootstrapInlinePayload: bytes } : cdn.store('History', bytes)
    return toCompanion(companion, {
        type: proto.Message.ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
        historySyncNotification: {
            ...content, syncType: /** @type {number} */ (sync.syncType), chunkOrder: sync.chunkOrder,
            progress: sync.progress, peerDataRequestSessionId: session
        }
    }, id)
}
