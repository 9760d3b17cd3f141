/** Who there is: contacts, phones and their linked devices. */
import { scan } from '../pairing.js'

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */

/** @param {import('../person.js').Person} person */
function describe(person) {
    return {
        phone: person.number, pn: person.pn(), lid: person.lid(), name: person.name, online: person.online,
        devices: person.devices().map(each => ({
            device: each.number, jid: each.jid, connected: Boolean(each.connection),
            live: Boolean(each.connection?.delivery.live), queued: each.queue.size, prekeys: each.preKeys.size
        }))
    }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function person({ world }, args) {
    const found = world.person(args.phone)
    if (args.name !== undefined) found.name = args.name
    if (args.lid_known !== undefined) found.lidKnown = args.lid_known
    if (args.online !== undefined) found.online = args.online
    if (args.answers_retries !== undefined) found.answersRetries = args.answers_retries
    if (args.resends_placeholders !== undefined) found.resendsPlaceholders = args.resends_placeholders
    if (args.placeholder_delay_ms !== undefined) found.placeholderDelayMs = args.placeholder_delay_ms
    if (args.batches !== undefined) found.batches = args.batches
    if (args.refuse !== undefined) found.refusal = args.refuse === null ? undefined : String(args.refuse)
    if (args.on_demand) Object.assign(found.onDemand, args.on_demand)
    return describe(found)
}

/** @param {FakeWhatsApp} server @param {Args} args */
function scanCode(server, args) {
    const owner = server.world.person(args.phone)
    if (args.name !== undefined) owner.name = args.name
    const companion = scan(server, args.qr, owner)
    return { account: owner.number, device: companion.number, jid: companion.jid, lid: owner.lid(companion.number) }
}

/** @param {FakeWhatsApp} server @param {Args} args throw one-time keys away */
function prekeys({ world }, args) {
    const { preKeys } = world.companion(args.account, args.device)
    for (const id of [...preKeys.keys()].slice(args.keep ?? 0)) preKeys.delete(id)
    return { left: preKeys.size }
}

export const PEOPLE_OPS = { person, scan: scanCode, prekeys }
