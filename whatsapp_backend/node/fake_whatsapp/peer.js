/** What a linked device asks of its phone: on-demand history, and messages it could not read. */
import { setTimeout as pause } from 'node:timers/promises'
import { proto } from 'baileys'
import { answerOnDemand } from './ondemand.js'
import { toCompanion } from './phone.js'
import { webMessage } from './web.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./companion.js').Companion} Companion */

const { PeerDataOperationRequestType: Ask, ProtocolMessage: { Type } } = proto.Message

/**
 * Not awaited: a slow phone must not keep the connection from being read.
 * @param {Connection} connection @param {string} what @param {number} ms @param {() => Promise<unknown>} work
 */
function later(connection, what, ms, work) {
    void (ms ? pause(ms) : Promise.resolve()).then(work)
        .catch(error => connection.emit('problem', { what, message: error.message }))
}

/**
 * @param {Connection} connection @param {Companion} companion @param {string} request
 * @param {proto.Message.PeerDataOperationRequestMessage.IPlaceholderMessageResendRequest[]} wanted
 */
function resendPlaceholders(connection, companion, request, wanted) {
    const { owner } = companion
    const { world } = connection.server
    connection.emit('placeholder-request', { request, ids: wanted.map(each => each.messageKey?.id) })
    if (!owner.online || !owner.resendsPlaceholders) return
    const found = owner.resendsPlaceholders === 'empty' ? [] : wanted
    const results = found.flatMap(({ messageKey }) => {
        const chat = messageKey?.remoteJid ?? ''
        const stored = owner.chats.find(world.chatKey(chat), messageKey?.id ?? '')
        if (!stored) return []
        const bytes = proto.WebMessageInfo.encode(webMessage(chat, stored)).finish()
        return [{ placeholderMessageResendResponse: { webMessageInfoBytes: bytes } }]
    })
    later(connection, 'placeholder', owner.placeholderDelayMs, () => toCompanion(companion, {
        type: Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
        peerDataOperationRequestResponseMessage: {
            peerDataOperationRequestType: Ask.PLACEHOLDER_MESSAGE_RESEND, stanzaId: request,
            peerDataOperationResult: results
        }
    }))
}

/**
 * @param {Connection} connection @param {Companion} companion @param {import('baileys').BinaryNode} stanza
 * @param {proto.IMessage | undefined} message
 */
export async function heardPeerMessage(connection, companion, stanza, message) {
    const inner = message?.deviceSentMessage?.message ?? message
    const asked = inner?.protocolMessage?.peerDataOperationRequestMessage
    const request = stanza.attrs.id
    if (!asked) {
        connection.emit('peer', { id: request, decrypted: Boolean(message) })
        return
    }
    if (asked.peerDataOperationRequestType === Ask.PLACEHOLDER_MESSAGE_RESEND) {
        resendPlaceholders(connection, companion, request, asked.placeholderMessageResendRequest ?? [])
    }
    const onDemand = asked.historySyncOnDemandRequest
    if (!onDemand) return
    connection.emit('on-demand-request', {
        request, chat: onDemand.chatJid, anchor: onDemand.oldestMsgId, from_me: Boolean(onDemand.oldestMsgFromMe),
        count: onDemand.onDemandMsgCount, time: Number(onDemand.oldestMsgTimestampMs ?? 0)
    })
    later(connection, 'on-demand', companion.owner.onDemand.delay_ms,
        () => answerOnDemand(connection, companion, request, onDemand))
}
