/** Linking a device: the server offers codes, somebody's phone scans one, the device signs, and must log in anew. */
import { createHmac, randomBytes } from 'node:crypto'
import { Curve, proto, WA_ADV_ACCOUNT_SIG_PREFIX } from 'baileys'
import { Companion } from './companion.js'
import { child, node } from './nodes.js'
import { nowS, stanzaId } from './ids.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('baileys').proto.ClientPayload.IDevicePairingRegistrationData} Registration */
/** @typedef {{refs: string[], registration: Registration, noiseKey: Uint8Array, awaiting?: string,
 *   companion?: Companion}} Pairing */

const REFS = 6

/** @param {Connection} connection @param {Registration} registration @param {Uint8Array} noiseKey */
export function offerPairing(connection, registration, noiseKey) {
    const refs = Array.from({ length: REFS }, () => `2@${randomBytes(24).toString('base64url')}`)
    connection.pairing = { refs, registration, noiseKey }
    connection.emit('pairing', { refs })
    connection.send(node('iq', { from: 's.whatsapp.net', type: 'set', id: stanzaId(), xmlns: 'md' }, [
        node('pair-device', {}, refs.map(ref => node('ref', {}, Buffer.from(ref))))
    ]))
}

/** @param {string} qr the text of the code, with or without the address before the `#` */
function readCode(qr) {
    const [ref, noiseKey, identityKey, secret] = qr.slice(qr.indexOf('#') + 1).split(',')
    if (!secret) throw new Error('not the text of a pairing code')
    return {
        ref,
        noiseKey: Buffer.from(noiseKey, 'base64'),
        identityKey: Buffer.from(identityKey, 'base64'),
        secret: Buffer.from(secret, 'base64')
    }
}

/**
 * The identity of the new device, signed by the phone and sealed with the secret that only the code shows.
 * @param {import('./person.js').Person} person @param {number} device
 * @param {{identityKey: Buffer, secret: Buffer}} code
 */
function signedIdentity(person, device, code) {
    const { identity } = person.phone
    const details = proto.ADVDeviceIdentity.encode({ rawId: device, timestamp: nowS(), keyIndex: device }).finish()
    const signed = proto.ADVSignedDeviceIdentity.encode({
        details,
        accountSignatureKey: identity.public,
        accountSignature: Curve.sign(
            identity.private, Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, code.identityKey]))
    }).finish()
    const hmac = createHmac('sha256', code.secret).update(signed).digest()
    return proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish()
}

/**
 * Scan a code with a person's phone.
 * @param {import('./server.js').FakeWhatsApp} server @param {string} qr @param {import('./person.js').Person} person
 */
export function scan(server, qr, person) {
    const code = readCode(qr)
    const connection = [...server.connections].find(each => each.pairing?.refs.includes(code.ref))
    const pairing = connection?.pairing
    if (!connection || !pairing) throw new Error('nobody shows this code any more')
    const device = person.nextDevice++
    const companion = new Companion(person, device, pairing.registration, pairing.noiseKey)
    const id = stanzaId()
    pairing.awaiting = id
    pairing.companion = companion
    connection.send(node('iq', { from: 's.whatsapp.net', type: 'set', id, xmlns: 'md', t: nowS() }, [
        node('pair-success', {}, [
            node('device-identity', {}, signedIdentity(person, device, code)),
            node('biz', { name: person.name }),
            node('platform', { name: 'android' }),
            node('device', { jid: person.pn(device), lid: person.lid(device) })
        ])
    ]))
    return companion
}

/** The device has signed: it is linked now, and must connect again. @param {Connection} connection
 * @param {import('baileys').BinaryNode} iq */
export function finishPairing(connection, iq) {
    const companion = connection.pairing?.companion
    if (!companion || iq.attrs.id !== connection.pairing?.awaiting) return
    if (!child(iq, 'pair-device-sign')) {
        connection.emit('pairing-failed')
        return
    }
    const person = companion.owner
    person.companions.set(companion.number, companion)
    connection.emit('paired', {
        account: person.number, device: companion.number, jid: companion.jid, lid: person.lid(companion.number)
    })
    connection.end(node('stream:error', { code: 515 }))
}
