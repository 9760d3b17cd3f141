/** Groups: who is in them, what changes, and what the server tells of it. */
import { changeGroup, groupNotification, rotateKeys } from '../groups.js'
import { nowS, stanzaId } from '../ids.js'
import { enqueueForAll } from '../outgoing.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {import('../person.js').World} World */
/** @typedef {Record<string, any>} Args */

const FOUNDED = 1700000000

/** @param {World} world @param {string[]} [refs] */
const people = (world, refs) => (refs ?? []).map(ref => world.person(ref))

/** @param {FakeWhatsApp} server @param {Args} args */
function group({ world }, args) {
    const { id, subject = 'Group', addressing = 'pn' } = args
    world.addGroup({
        id, subject, addressing, members: people(world, args.members), admins: new Set(people(world, args.admins)),
        time: FOUNDED
    })
    return { id, subject, members: world.group(id).members.map(member => member.pn()) }
}

/** @param {FakeWhatsApp} server @param {Args} args something changes, and the account is told */
function groupEvent(server, args) {
    const { world } = server
    const { action, subject, description, on, seconds } = args
    const account = world.account(args.account)
    const time = args.time ?? nowS()
    const id = args.id ?? stanzaId()
    if (action === 'create') group(server, { id: args.group, subject, addressing: args.addressing })
    const found = world.group(args.group)
    const change = {
        by: world.person(args.by), time, addressing: args.addressing ?? found.addressing,
        members: people(world, args.members), subject, description, on, seconds
    }
    const stanza = groupNotification(found, id, change, changeGroup(found, action, change))
    enqueueForAll(account, stanza)
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
