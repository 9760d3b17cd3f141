/** What happened: what is still queued, what the devices said, what they sent. */

/** @typedef {import('../server.js').FakeWhatsApp} FakeWhatsApp */
/** @typedef {Record<string, any>} Args */

/** @param {FakeWhatsApp} server @param {Args} args */
function queued({ world }, args) {
    const { queue } = world.companion(args.account, args.device)
    const entries = [...queue.entries.values()].map(({ node: { tag, attrs }, sends }) =>
        ({ tag, id: attrs.id, from: attrs.from, sends }))
    return { count: entries.length, queued: args.list === false ? undefined : entries }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function heard({ world }, args) {
    const all = world.companion(args.account, args.device).heard.slice(args.since ?? 0)
    const wanted = all.filter(each => (args.id === undefined || each.id === args.id) &&
        (args.event === undefined || each.event === args.event))
    return { heard: wanted }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function sent({ world }, args) {
    return { sent: world.companion(args.account, args.device).written }
}

/** @param {FakeWhatsApp} server @param {Args} args wait until the device has answered everything */
async function drained({ world }, args) {
    const { queue } = world.companion(args.account, args.device)
    await queue.drained(args.timeout_ms ?? 10_000)
    return { left: queue.size }
}

/** @param {FakeWhatsApp} server @param {Args} args what the phone knows of a conversation */
function stored({ world }, args) {
    const messages = world.person(args.account).chats.messages(world.chatKey(args.chat))
    return { messages: messages.map(({ id, from_me, time, text }) => ({ id, from_me, time, text })) }
}

/** @param {FakeWhatsApp} server */
function state(server) {
    return {
        connections: [...server.connections].map(each => ({
            connection: each.id, account: each.account, device: each.companion?.number, stalled: each.stalled,
            live: each.delivery.live
        })),
        accepted: server.accepted,
        sockets: server.sockets.size
    }
}

/** @param {FakeWhatsApp} server @param {Args} args */
function downloads({ cdn }, args) {
    const all = [...cdn.blobs].map(([path, { kind, bytes, gets }]) => ({ path, kind, bytes: bytes.length, gets }))
    return { blobs: all.filter(each => args.kind === undefined || each.kind.toLowerCase() === args.kind.toLowerCase()) }
}

export const RECORD_OPS = { queued, heard, sent, drained, stored, state, downloads }
