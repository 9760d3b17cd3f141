/** Groups: who is in them, what changes, and what the server tells of it. */
import { changeGroup, groupNotification, rotateKeys } from '../groups.js'
import { nowS, stanzaId } from '../ids.js'
import { enqueue } from '../outgoing.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */

const FOUNDED = 1700000000

/** @param {FakeWhatsApp} server @param {Args} args */
function group({ world }, args) {
    const { id, subject = 'Group', addressing = 'pn' } = args
    /** @param {string[]} [refs] */
    const people = refs => (refs ?? []).map(ref => world.person(ref))
    world.addGroup({
        id, subject, addressing, members: people(args.members), admins: new Set(people(args.admins)), time: FOUNDED
    })
    return { id, subject, members: world.group(id).members.map(member => member.pn()) }
}

/** @param {FakeWhatsApp} server @param {Args} args something changes, and the account is told */
function groupEvent({ world }, args) {
    const { action, subject, description, on, seconds } = args
    const devices = world.account(args.account).devices()
    const time = args.time ?? nowS()
    const id = args.id ?? stanzaId()
    if (action === 'create') {
        const { addressing = 'pn' } = args
        world.addGroup({
            id: args.group, subject: subject ?? 'Group', addressing, members: [], admins: new Set(), time
        })
    }
    const found = world.group(args.group)
    const change = {
        by: world.person(args.by), time, addressing: args.addressing ?? found.addressing,
        members: (args.members ?? []).map((/** @type {string} */ ref) => world.person(ref)),
        subject, description, on, seconds
    }
    const stanza = groupNotification(found, id, change, changeGroup(found, action, change))
    const silent = args.queued === false
    for (const companion of devices) {
        if (!silent) enqueue(companion, stanza)
        else companion.connection?.send(stanza)
    }
    return { id, time, members: found.members.map(member => member.pn()) }
}

/** @param {FakeWhatsApp} server @param {Args} args new sender keys for everybody, or for one member */
function rotate({ world }, args) {
    const found = world.group(args.group)
    if (args.of === undefined) rotateKeys(found)
    else {
        const { phone, address } = world.person(args.of)
        phone.rotate(found.id, address)
    }
    return {}
}

export const GROUP_OPS = { group, 'group-event': groupEvent, rotate }
