/** A device could not decrypt something and asks for it again. */
import { child } from './nodes.js'
import { deliverAgain } from './outgoing.js'

/**
 * @param {import('./connection.js').Connection} connection
 * @param {import('./companion.js').Companion} companion
 * @param {import('baileys').BinaryNode} receipt
 */
export async function sendAgain(connection, companion, receipt) {
    const outgoing = companion.sent.get(receipt.attrs.id)
    if (!outgoing || !outgoing.sender.answersRetries) return
    const count = Number(child(receipt, 'retry')?.attrs.count ?? 1)
    const bundle = companion.bundleFromRetry(receipt) ?? companion.takeBundle()
    await deliverAgain(companion, outgoing, bundle, count)
    connection.emit('resent', { id: outgoing.id, count })
}
