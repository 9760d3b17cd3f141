/** What a client says about what it was sent. Every word of it is kept, in order, for tests to look at. */
import { child, children, node } from './nodes.js'
import { wasRead } from './outgoing.js'
import { sendAgain } from './retries.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./connection.js').Connection} Connection */

/** @param {Connection} connection @param {string} event @param {Record<string, unknown>} what */
function hear(connection, event, what) {
    const record = { event, ...what, at: Date.now(), mono: Math.round(performance.now() * 1000) / 1000,
        connection: connection.id }
    connection.companion?.heard.push(record)
    connection.emit(event, record)
}

/** @param {BinaryNode} receipt every id it speaks of */
function idsOf(receipt) {
    const list = child(receipt, 'list')
    return [receipt.attrs.id, ...list ? children(list).map(item => item.attrs.id) : []]
}

/** @param {Connection} connection @param {BinaryNode} receipt */
export async function heardReceipt(connection, receipt) {
    const { companion } = connection
    const { id, to, participant, recipient } = receipt.attrs
    const type = receipt.attrs.type ?? 'delivery'
    const about = { to, participant, recipient, type }
    if (type === 'retry') {
        const count = Number(child(receipt, 'retry')?.attrs.count ?? 1)
        hear(connection, 'retry', { id, ...about, count, keys: Boolean(child(receipt, 'keys')) })
    } else {
        for (const each of idsOf(receipt)) {
            const settled = companion?.queue.settle(each, 'message', connection.id)
            if (settled && companion) wasRead(companion, each)
            hear(connection, 'receipt', { id: each, ...about, settled: Boolean(settled) })
        }
    }
    connection.send(node('ack', { class: 'receipt', id, from: to, participant, type: receipt.attrs.type }))
    if (type === 'retry' && companion) await sendAgain(connection, companion, receipt)
}

/** @param {Connection} connection @param {BinaryNode} ack */
export function heardAck(connection, ack) {
    const { id, to, participant, type, error } = ack.attrs
    const settled = connection.companion?.queue.settle(id, ack.attrs.class, connection.id)
    hear(connection, error ? 'nack' : 'ack', { id, class: ack.attrs.class, to, participant, type,
        error: error ? Number(error) : undefined, settled: Boolean(settled) })
}
