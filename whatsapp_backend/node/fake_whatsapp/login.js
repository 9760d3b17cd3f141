/** A registered device logs in. */
import { node } from './nodes.js'
import { nowS } from './ids.js'

/** @typedef {import('./connection.js').Connection} Connection */

/** @param {Connection} connection @param {string} reason */
function refuse(connection, reason) {
    connection.emit('refused', { reason })
    connection.end(node('failure', { reason, location: 'fake' }))
}

/** One connection per device: the newer one replaces the older one. @param {Connection} older */
export function replace(older) {
    older.end(node('stream:error', {}, [node('conflict', { type: 'replaced' })]))
}

/**
 * @param {Connection} connection
 * @param {string} number
 * @param {number} device
 * @param {Uint8Array} noiseKey
 * @param {number} revision of the client
 */
export function login(connection, number, device, noiseKey, revision) {
    const person = connection.server.world.find(number)
    const companion = person?.companions.get(device)
    if (revision < connection.server.oldestRevision) return refuse(connection, '405')
    if (person?.refusal) return refuse(connection, person.refusal)
    if (!person || !companion || !companion.noiseKey.equals(noiseKey)) return refuse(connection, '401')
    if (companion.connection) replace(companion.connection)
    companion.connection = connection
    connection.companion = companion
    connection.send(node('success', { t: nowS(), lid: person.lid(device), location: 'fake', props: '1' }))
    connection.emit('login')
}
