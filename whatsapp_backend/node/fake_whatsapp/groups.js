/** What changes in a group, and the notification that tells it. */
import { node } from './nodes.js'
import { parseJid } from './ids.js'

/** @typedef {import('./person.js').Group} Group */
/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('baileys').BinaryNode} BinaryNode */

/** @typedef {{by: Person, members: Person[], time: number, addressing: 'pn' | 'lid', subject?: string,
 *   description?: string, on?: boolean, seconds?: number}} Change */

/** @param {Group} group @param {Person} member @param {'pn' | 'lid'} addressing */
export function participant({ admins, owner }, member, addressing) {
    const rank = member === owner ? 'superadmin' : 'admin'
    return node('participant', {
        jid: member.as(addressing), ...addressing === 'lid' ? { phone_number: member.pn() } : { lid: member.lid() },
        type: admins.has(member) ? rank : undefined
    })
}

/** What the server tells of a whole group. @param {Group} group @param {'pn' | 'lid'} [addressing] */
export function describeGroup(group, addressing = group.addressing) {
    const owner = group.owner ?? group.members[0]
    const { description } = group
    return node('group', {
        id: parseJid(group.id).user, subject: group.subject, s_t: group.time, s_o: owner?.as(addressing),
        s_o_pn: addressing === 'lid' ? owner?.pn() : undefined, creation: group.time, addressing_mode: addressing,
        creator: owner?.as(addressing), creator_pn: addressing === 'lid' ? owner?.pn() : undefined,
        size: group.members.length
    }, [
        ...group.announce ? [node('announcement')] : [],
        ...description ? [node('description', { id: 'd', t: group.time }, [node('body', {}, description)])] : [],
        ...group.members.map(member => participant(group, member, addressing))
    ])
}

/** Nobody who left reads what is written now. @param {Group} group */
export function rotateKeys(group) {
    for (const { phone, address } of group.members) phone.rotate(group.id, address)
}

/** @param {string} tag @returns {(group: Group, change: Change) => BinaryNode} */
const listing = tag => (group, { members, addressing }) =>
    node(tag, {}, members.map(member => participant(group, member, addressing)))

/** @param {Group} group @param {Person[]} gone */
function drop(group, gone) {
    group.members = group.members.filter(member => !gone.includes(member))
    for (const member of gone) group.admins.delete(member)
    rotateKeys(group)
}

/** Each changes the group and gives what the notification says. @type {Record<string,
 *   (group: Group, change: Change) => BinaryNode>} */
const ACTIONS = {
    create(group, { by, addressing, members, time }) {
        group.members = [...new Set([by, ...members])]
        group.owner = by
        group.admins = new Set([by])
        group.time = time
        return node('create', { type: 'new', reason: 'invite' }, [describeGroup(group, addressing)])
    },
    add(group, change) {
        group.members = [...new Set([...group.members, ...change.members])]
        return listing('add')(group, change)
    },
    remove(group, change) {
        const told = listing('remove')(group, change)
        drop(group, change.members)
        return told
    },
    // Whoever leaves is told of as removed by themselves.
    leave(group, change) {
        return ACTIONS.remove(group, { ...change, members: [change.by] })
    },
    promote(group, change) {
        for (const member of change.members) group.admins.add(member)
        return node('promote', {}, change.members.map(member =>
            node('participant', { ...participant(group, member, change.addressing).attrs, type: 'admin' })))
    },
    demote(group, change) {
        for (const member of change.members) group.admins.delete(member)
        return listing('demote')(group, change)
    },
    subject(group, { subject = '', by, addressing, time }) {
        group.subject = subject
        return node('subject', { subject, s_t: time, s_o: by.as(addressing) })
    },
    description(group, { description }) {
        group.description = description
        return description ? node('description', { id: 'd' }, [node('body', {}, description)])
            : node('description', { id: 'd', delete: 'true' })
    },
    announce(group, { on = true }) {
        group.announce = on
        return node(on ? 'announcement' : 'not_announcement')
    },
    ephemeral: (_, { seconds = 0 }) => seconds
        ? node('ephemeral', { expiration: seconds }) : node('not_ephemeral')
}

/**
 * Change a group. @param {Group} group @param {string} action @param {Change} change
 * @returns {BinaryNode} what the notification says of it
 */
export function changeGroup(group, action, change) {
    if (!Object.hasOwn(ACTIONS, action)) throw new Error(`unknown action: ${action}`)
    return ACTIONS[action](group, change)
}

/** @param {Group} group @param {string} id @param {Change} change @param {BinaryNode} what */
export function groupNotification(group, id, { by, addressing, time }, what) {
    return node('notification', {
        from: group.id, type: 'w:gp2', id, t: time, participant: by.as(addressing),
        ...by.other('participant', addressing), addressing_mode: addressing, notify: by.name
    }, [what])
}
