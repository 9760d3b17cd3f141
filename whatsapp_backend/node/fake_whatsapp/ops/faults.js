/** Everything that goes wrong. */
import { replace } from '../login.js'
import { node } from '../nodes.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */

/** @param {FakeWhatsApp} server @param {Args} args */
function connectionOf({ world }, args) {
    const { connection } = world.companion(args.account, args.device)
    if (!connection) throw new Error(`${args.account} is not connected`)
    return connection
}

/** @param {FakeWhatsApp} server @param {Args} args plan what happens at a stage of coming connections */
function fault({ faults }, args) {
    const { stage, action, account, times = 1, bytes = 64, framed = true } = args
    faults.plan({ stage, action, account, times, bytes, framed })
}

/** @param {FakeWhatsApp} server forget all planned faults, of the media host too */
function faultsClear({ faults, cdn }) {
    faults.clear()
    cdn.faults = []
}

/** @param {FakeWhatsApp} server @param {Args} args */
function hold({ holds }, args) {
    const { then = 'lose', times = 1, error = 463, account, tag, id, type, class: of, xmlns, child } = args
    const match = { account, tag, id, type, class: of, xmlns, child }
    return { hold: holds.add({ match, then, times, error }).name }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function release({ holds }, args) {
    return holds.release(args.hold)
}

/** @param {FakeWhatsApp} server @param {Args} args the network breaks */
function terminate(server, args) {
    connectionOf(server, args).terminate('terminated')
}

/** @param {FakeWhatsApp} server @param {Args} args nothing is read or said any more, and the socket stays open */
function stall(server, args) {
    connectionOf(server, args).stalled = true
}

/** @param {FakeWhatsApp} server @param {Args} args what the connection looks alive without */
function swallow(server, args) {
    connectionOf(server, args).swallows = new Set(args.tags ?? ['message', 'receipt', 'notification', 'call'])
}

/** @param {FakeWhatsApp} server @param {Args} args bytes that mean nothing, in the middle of a conversation */
function rubbish(server, args) {
    connectionOf(server, args).rubbish(args.bytes ?? 64, args.framed ?? true)
}

/** @param {FakeWhatsApp} server @param {Args} args */
function disconnect(server, args) {
    if (args.reason === 'removed') {
        server.unlink(server.world.companion(args.account, args.device), 'removed')
        return
    }
    const connection = connectionOf(server, args)
    if (args.failure !== undefined) connection.end(node('failure', { reason: args.failure, location: 'fake' }))
    else if (args.reason === 'replaced') replace(connection)
    else connection.end(node('stream:error', { code: args.code ?? 503 }))
}

/** @param {FakeWhatsApp} server @param {Args} args send the end-of-offline marker that was withheld */
function marker(server, args) {
    connectionOf(server, args).delivery.mark()
}

/** @param {FakeWhatsApp} server @param {Args} args older clients are refused, until they ask for the version in use */
function outdate(server, args) {
    server.oldestRevision = args.revision
}

/** @param {FakeWhatsApp} server @param {Args} args what goes wrong with downloads */
function cdnFault({ cdn }, args) {
    const { kind, path, status, delay_ms, cut, truncate, spoil, times = 1 } = args
    cdn.faults.push({ kind, path, status, delay_ms, cut, truncate, spoil, times })
}

export const FAULT_OPS = {
    fault, outdate, 'faults-clear': faultsClear, hold, release, terminate, stall, swallow, rubbish, disconnect, marker,
    cdn: cdnFault
}
