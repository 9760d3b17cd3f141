/** Messages that a client sends: decrypted for everybody the fake plays, recorded, acknowledged. */
import { proto, unpadRandomMax16 } from 'baileys'
import { child, children, node } from './nodes.js'
import { isGroup, nowS, parseJid } from './ids.js'
import { heardPeerMessage } from './peer.js'
import { storedText } from './content.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./companion.js').Companion} Companion */
/** @typedef {{jid: string, ok: boolean, problem?: string, message?: proto.IMessage}} Copy */

/** @param {BinaryNode} stanza @returns {{jid: string, enc: BinaryNode}[]} */
function envelopes(stanza) {
    const participants = child(stanza, 'participants')
    const each = participants ? children(participants).flatMap(to => {
        const enc = child(to, 'enc')
        return enc ? [{ jid: to.attrs.jid, enc }] : []
    }) : []
    const enc = child(stanza, 'enc')
    if (enc && enc.attrs.type !== 'skmsg') each.push({ jid: stanza.attrs.participant ?? stanza.attrs.to, enc })
    return each
}

/** @param {Connection} connection @param {Companion} companion @param {{jid: string, enc: BinaryNode}} envelope
 * @returns {Promise<Copy | undefined>} nothing for devices the fake does not play */
async function open(connection, companion, { jid, enc }) {
    const person = connection.server.world.find(jid)
    if (!person || parseJid(jid).device !== 0 || !(enc.content instanceof Uint8Array)) return undefined
    try {
        const bytes = await person.phone.decrypt(companion.address, enc.attrs.type, enc.content)
        const message = proto.Message.decode(unpadRandomMax16(bytes))
        const key = message.senderKeyDistributionMessage
        if (key?.groupId && key.axolotlSenderKeyDistributionMessage) {
            await person.phone.learnSenderKey(key.groupId, companion.address, key.axolotlSenderKeyDistributionMessage)
        }
        return { jid, ok: true, message }
    } catch (error) {
        return { jid, ok: false, problem: /** @type {Error} */ (error).message }
    }
}

/** @param {Connection} connection @param {Companion} companion @param {BinaryNode} stanza @param {Copy[]} copies
 * @returns {Promise<Copy[]>} */
async function openGroup(connection, companion, stanza, copies) {
    const enc = children(stanza).find(each => each.tag === 'enc' && each.attrs.type === 'skmsg')
    if (!enc || !(enc.content instanceof Uint8Array)) return copies
    const group = connection.server.world.groups.get(stanza.attrs.to)
    const opened = []
    for (const member of group?.members ?? []) {
        if (member === companion.owner) continue
        try {
            const bytes = await member.phone.decryptForGroup(stanza.attrs.to, companion.address, enc.content)
            opened.push({ jid: member.pn(), ok: true, message: proto.Message.decode(unpadRandomMax16(bytes)) })
        } catch (error) {
            opened.push({ jid: member.pn(), ok: false, problem: /** @type {Error} */ (error).message })
        }
    }
    return opened
}

/** @param {Copy} copy */
function described({ jid, ok, problem, message }) {
    const inner = message?.deviceSentMessage?.message ?? message
    return { jid, ok, problem, text: inner ? storedText(inner) : undefined,
        message: inner && proto.Message.fromObject(inner).toJSON() }
}

/** @param {Connection} connection @param {BinaryNode} stanza @param {boolean} [acknowledge] */
export async function heardMessage(connection, stanza, acknowledge = true) {
    const { companion } = connection
    if (!companion) return
    const { id, to, category } = stanza.attrs
    const time = nowS()
    if (acknowledge) connection.send(node('ack', { class: 'message', id, from: to, t: time }))
    const copies = []
    for (const envelope of envelopes(stanza)) {
        const copy = await open(connection, companion, envelope)
        if (copy) copies.push(copy)
    }
    if (category === 'peer') return heardPeerMessage(connection, companion, stanza, copies[0]?.message)
    const opened = isGroup(to) ? await openGroup(connection, companion, stanza, copies) : copies
    const copiesOut = opened.map(described)
    const text = copiesOut.find(each => each.text)?.text
    const record = { id, to, time, text, copies: copiesOut, at: Date.now() }
    companion.written.push(record)
    companion.owner.chats.add(connection.server.world.chatKey(to), { id, from_me: true, time, text })
    connection.emit('sent', record)
}
