/** Who has which devices, and which LID belongs to a number. */
import { child, children, node } from './nodes.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./person.js').Person} Person */

/** @param {Person} person */
function devices(person) {
    return node('devices', {}, [node('device-list', {}, [
        node('device', { id: 0 }),
        ...[...person.companions.keys()].map(id => node('device', { id, 'key-index': id }))
    ])])
}

/** @param {BinaryNode} user @returns {string | undefined} a JID, or the number that a contact query asks about */
function askedFor(user) {
    if (user.attrs.jid) return user.attrs.jid
    const contact = child(user, 'contact')?.content
    return contact === undefined || Array.isArray(contact) ? undefined : Buffer.from(contact).toString()
}

/** @param {import('./person.js').World} world @param {BinaryNode} iq @returns {BinaryNode[]} */
export function answerUsync(world, iq) {
    const usync = child(iq, 'usync')
    const query = child(usync, 'query')
    const list = child(usync, 'list')
    if (!usync || !query || !list) return []
    const users = children(list).flatMap(user => {
        const asked = askedFor(user)
        const person = asked && world.find(asked)
        if (!asked || !person) return []
        const byNumber = !asked.endsWith('@lid')
        const content = []
        if (child(query, 'devices')) content.push(devices(person))
        if (child(query, 'contact')) content.push(node('contact', { type: 'in' }))
        if (child(query, 'lid') && byNumber && person.lidKnown) content.push(node('lid', { val: person.lid() }))
        return [node('user', { jid: user.attrs.jid ?? person.pn() }, content)]
    })
    return [node('usync', { ...usync.attrs }, [node('result'), node('list', {}, users)])]
}
