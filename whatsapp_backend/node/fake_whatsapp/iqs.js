/** What the server answers to a client's queries. Whatever is not listed gets an empty result, as it often does. */
import { encodeBigEndian, KEY_BUNDLE_TYPE } from 'baileys'
import { child, children, node } from './nodes.js'
import { describeGroup } from './groups.js'
import { nowS, parseJid } from './ids.js'
import { answerUsync } from './usync.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./connection.js').Connection} Connection */

/** @param {import('./companion.js').Companion} companion what others need to start a session with a linked device */
function companionKeys(companion) {
    const { registrationId, identityKey, signedPreKey, preKey } = companion.takeBundle()
    /** @param {string} tag @param {number} id @param {Uint8Array} key @param {Uint8Array} [signature] */
    const keyNode = (tag, id, key, signature) => node(tag, {}, [
        node('id', {}, encodeBigEndian(id, 3)),
        node('value', {}, Buffer.from(key).subarray(1)),
        ...signature ? [node('signature', {}, signature)] : []
    ])
    return [
        node('registration', {}, encodeBigEndian(registrationId)),
        node('type', {}, KEY_BUNDLE_TYPE),
        node('identity', {}, Buffer.from(identityKey).subarray(1)),
        keyNode('skey', signedPreKey.keyId, signedPreKey.publicKey, signedPreKey.signature),
        ...preKey ? [keyNode('key', preKey.keyId, preKey.publicKey)] : []
    ]
}

/** @param {Connection} connection @param {BinaryNode} request */
function bundles(connection, request) {
    return [node('list', {}, children(request).map(user => {
        const { jid } = user.attrs
        const { device } = parseJid(jid)
        const person = connection.server.world.find(jid)
        const companion = person?.companions.get(device)
        const t = nowS()
        if (companion) return node('user', { jid, t }, companionKeys(companion))
        if (person && device === 0) return node('user', { jid, t }, person.phone.publish())
        return node('user', { jid }, [node('error', { code: 404, text: 'item-not-found' })])
    }))]
}

/** @param {Connection} connection @param {BinaryNode} iq */
function encryption(connection, iq) {
    const { companion } = connection
    if (!companion) return []
    const wanted = child(iq, 'key')
    if (iq.attrs.type === 'get' && wanted) return bundles(connection, wanted)
    if (child(iq, 'count')) return [node('count', { value: companion.preKeys.size })]
    if (child(iq, 'digest')) {
        return [node('digest', {}, [node('registration', {}, encodeBigEndian(companion.registrationId))])]
    }
    if (iq.attrs.type === 'set') companion.storeKeys(iq)
    return []
}

/** Without its collections in the answer a client asks again for ever. @param {BinaryNode} iq */
function appState(iq) {
    const sync = child(iq, 'sync')
    const collections = sync ? children(sync) : []
    return [node('sync', {}, collections.map(({ attrs }) =>
        node('collection', { name: attrs.name, version: attrs.version, type: 'result' })))]
}

/** @param {Connection} connection @param {BinaryNode} iq */
function groupInfo(connection, iq) {
    const { groups } = connection.server.world
    const one = groups.get(iq.attrs.to)
    if (one) return [describeGroup(one)]
    if (child(iq, 'participating')) return [node('groups', {}, [...groups.values()].map(group => describeGroup(group)))]
    return [node('error', { code: 404, text: 'item-not-found' })]
}

/** @param {Connection} connection @param {BinaryNode} iq @returns {BinaryNode[]} */
function contentFor(connection, iq) {
    switch (iq.attrs.xmlns) {
        case 'encrypt': return encryption(connection, iq)
        case 'usync': return answerUsync(connection.server.world, iq)
        case 'w:sync:app:state': return appState(iq)
        case 'w:g2': return groupInfo(connection, iq)
        case 'abt': return [node('props', { protocol: 1, ab_key: '1', hash: '1', refresh: 86400 })]
        case 'blocklist': return [node('list')]
        case 'privacy': return child(iq, 'privacy')
            ? [node('privacy', {}, [node('category', { name: 'last', value: 'all' })])] : []
        case 'w:m': return [node('media_conn', { auth: 'fake', ttl: 3600, auth_ttl: 3600, max_buckets: 12 },
            [node('host', { hostname: 'mmg.whatsapp.net' })])]
        default: return []
    }
}

/** @param {Connection} connection @param {BinaryNode} iq */
export async function answerIq(connection, iq) {
    const activates = iq.attrs.xmlns === 'passive' && child(iq, 'active')
    if (activates && connection.fails('active')) return
    const removes = child(iq, 'remove-companion-device')
    const content = contentFor(connection, iq)
    const { id, to } = iq.attrs
    const failed = content[0]?.tag === 'error'
    connection.send(node('iq', { id, from: to ?? 's.whatsapp.net', type: failed ? 'error' : 'result' },
        content.length ? content : undefined))
    if (activates) connection.delivery.announce()
    if (removes && connection.companion) connection.server.unlink(connection.companion, 'logout')
}
