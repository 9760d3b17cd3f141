/** What is not a message between two people: groups, calls, receipts, changes, and what is asked for again. */
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { ANA, ME, sharedStage, Stage } from './stage.js'

const ACCOUNT = 'account_demo_0a'
const BEN = '15550003333'
const ANA_JID = `${ANA}@s.whatsapp.net`
const ANA_LID = '88000000002222@lid'
const BEN_LID = '88000000003333@lid'
const MY_JID = `${ME}@s.whatsapp.net`
const GROUP = '120363000000000001@g.us'
const time = 1795328371

const shared = sharedStage()

before(async () => {
    const { stage } = await shared()
    await stage.op('group', { id: GROUP, subject: 'Team', members: [ME, ANA, BEN], addressing: 'lid' })
})

/** @param {import('./daemon.js').Daemon} daemon @param {string} event @param {(data: any) => any} [wanted] */
const update = async (daemon, event, wanted = () => true) =>
    (await daemon.entry('update', ({ payload }) => payload.event === event && wanted(payload.data))).entry.payload.data

test('what changes in a group is a stub under both identities, and an update', async () => {
    const { stage, daemon } = await shared()
    const group = '120363000000000002@g.us'
    const change = (/** @type {string} */ action, /** @type {any} */ args) =>
        stage.op('group-event', { group, action, by: ANA, id: `N-${action}`, time, ...args })
    await change('create', { members: [ME], subject: 'New', addressing: 'lid' })
    await change('add', { members: [BEN] })
    await change('subject', { subject: 'Newer' })
    await change('leave', { by: BEN })
    const { payload } = (await daemon.message('N-add')).entry
    const person = { id: BEN_LID, phoneNumber: `${BEN}@s.whatsapp.net`, admin: null }
    assert.deepEqual(payload, {
        key: { remoteJid: group, fromMe: false, id: 'N-add', participant: ANA_LID, participantAlt: ANA_JID,
            addressingMode: 'lid' },
        messageTimestamp: time, messageStubType: 27, messageStubParameters: [JSON.stringify(person)]
    })
    const left = (await daemon.message('N-leave')).entry.payload
    assert.deepEqual([left.messageStubType, left.key.participantAlt], [32, `${BEN}@s.whatsapp.net`])
    const [made] = await update(daemon, 'groups.upsert')
    assert.deepEqual([made.id, made.subject, made.ownerPn, made.participants.length], [group, 'New', ANA_JID, 2])
    assert.deepEqual(await update(daemon, 'groups.update', data => data[0].id === group),
        [{ id: group, subject: 'Newer', author: ANA_LID }])
    assert.deepEqual(await update(daemon, 'group-participants.update', data => data.action === 'add'), {
        id: group, author: ANA_LID, action: 'add', participants: [{ id: BEN_LID, phoneNumber: `${BEN}@s.whatsapp.net` }]
    })
    const { entry } = await daemon.entry('notification', each => each.payload.id === 'N-subject')
    assert.equal(entry.payload.participantAlt, ANA_JID)
})

test('a call is told with its conversation, and a missed one becomes a message under both identities', async () => {
    const { stage, daemon } = await shared()
    const call = (/** @type {string} */ what, /** @type {any} */ more) =>
        stage.op('call', { from: ANA, id: 'C1', what, addressing: 'lid', time, ...more })
    await call('offer', { video: true })
    await call('timeout', {})
    await call('offer', { id: 'C2', group: GROUP, addressing: 'pn' })
    const told = async (/** @type {(payload: any) => any} */ wanted) =>
        (await daemon.entry('call', ({ payload }) => wanted(payload))).entry.payload
    const common = { from: ANA_LID, fromAlt: ANA_JID, chat: ANA_LID, id: 'C1', time }
    assert.deepEqual(await told(({ id }) => id === 'C1'), { ...common, what: 'offer', video: true })
    assert.deepEqual(await told(({ what }) => what === 'timeout'), { ...common, what: 'timeout', reason: 'timeout' })
    assert.deepEqual(await told(({ id }) => id === 'C2'),
        { from: ANA_JID, fromAlt: ANA_LID, chat: GROUP, id: 'C2', time, what: 'offer', group: true })
    const missed = (await daemon.message('C1')).entry.payload
    assert.deepEqual(missed, {
        key: { remoteJid: ANA_LID, remoteJidAlt: ANA_JID, fromMe: false, id: 'C1' }, messageTimestamp: time,
        messageStubType: 41
    })
})

test('receipts of others, of our own devices and of several people are told apart', async () => {
    const { stage, daemon } = await shared()
    const told = async (/** @type {string} */ id, /** @type {any} */ args) => {
        await stage.op('receipt', { ids: [id], time, ...args })
        return (await daemon.entry('receipt', ({ payload }) => payload.ids.includes(id))).entry.payload
    }
    assert.deepEqual(await told('R1', { from: ANA, ids: ['R1', 'R1b'], type: 'played', addressing: 'lid', alt: true }),
        { chat: ANA_LID, chatAlt: ANA_JID, ids: ['R1', 'R1b'], type: 'played', time })
    assert.deepEqual(await told('R2', { own: true, chat: ANA, type: 'read-self' }),
        { chat: ANA_JID, ids: ['R2'], recipient: ANA_JID, type: 'read-self', time, own: true })
    assert.deepEqual(await told('R3', { own: true, chat: GROUP, recipient: ANA, type: 'read' }),
        { chat: GROUP, ids: ['R3'], participant: MY_JID, recipient: ANA_JID, type: 'read', time, own: true })
    assert.deepEqual(await told('R4', { from: ANA, chat: GROUP, addressing: 'lid', alt: true, type: 'read' }),
        { chat: GROUP, ids: ['R4'], participant: ANA_LID, participantAlt: ANA_JID, type: 'read', time })
    const users = [{ phone: ANA }, { phone: BEN, time: 7 }]
    assert.deepEqual((await told('R5', { chat: GROUP, addressing: 'lid', users })).users,
        [{ jid: ANA_LID, id: 'R5', time }, { jid: BEN_LID, id: 'R5', time: 7 }])
    await stage.op('drained')
})

test('our phone is asked for a message as often as one likes, and its answer names the request', async () => {
    const { stage, daemon } = await shared()
    await stage.op('store', { chat: ANA, messages: [{ id: 'LOST', text: 'found', time: time - 1_000_000 }] })
    const key = { remoteJid: ANA_JID, fromMe: false, id: 'LOST' }
    const requests = new Set()
    for (const round of [1, 2, 3]) {
        const { request } = await daemon.do('request-resend', ACCOUNT, { key })
        const { entry } = await daemon.entry('message', ({ payload }) => payload?.requestId === request)
        assert.deepEqual([entry.origin, entry.payload.key.id, entry.payload.message], [
            'resend', 'LOST', { conversation: 'found' }
        ], `round ${round}`)
        requests.add(request)
    }
    assert.equal(requests.size, 3)
    for (const bad of [undefined, { ...key, id: '' }, { ...key, fromMe: 1 }, { ...key, participant: 'x' }]) {
        await assert.rejects(daemon.do('request-resend', ACCOUNT, { key: bad }), { code: 'bad-arguments' })
    }
    await assert.rejects(daemon.do('request-resend', 'account_demo_0b', { key }), { code: 'not-started' })
})

test('a phone is not asked while the connection is closed', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await stage.op('fault', { stage: 'login', action: 'stall' })
    await stage.op('terminate')
    await daemon.frames.until('closed', frame => frame.t === 'state' && frame.status === 'closed' && frame.code !== 515)
    await daemon.start(ACCOUNT).catch(() => {})
    const key = { remoteJid: ANA_JID, fromMe: false, id: 'M' }
    await assert.rejects(daemon.do('request-resend', ACCOUNT, { key }), { code: 'not-open' })
})

test('a sender key is in the commit of what brought it, a rotated one is learned, a retry brings it too', async () => {
    const { stage, daemon } = await shared()
    const say = (/** @type {string} */ id, /** @type {any} */ more) =>
        stage.op('message', { chat: GROUP, from: BEN, id, text: id, ...more })
    /** @param {string} id @param {(payload: any) => any} wanted */
    const entry = (id, wanted) => daemon.entry('message', ({ payload }) => payload?.key.id === id && wanted(payload))
    const isText = (/** @type {any} */ payload) => payload.message.conversation
    const isKey = (/** @type {any} */ payload) => payload.message.senderKeyDistributionMessage
    await say('K1', {})
    const brought = await entry('K1', isKey)
    assert.equal(brought.entry.payload.message.conversation, undefined, 'the key is an entry of its own')
    assert.ok((await entry('K1', isText)).frame.keys['sender-key'])
    await stage.op('group-event', { group: GROUP, action: 'remove', by: BEN, members: [ANA], id: 'K-out' })
    await say('K2', {})
    assert.equal(isText((await entry('K2', isText)).entry.payload), 'K2')
    await entry('K2', isKey)
    await say('K3', { corrupt: true })
    await daemon.entry('debt', ({ payload }) => payload.key.id === 'K3')
    const again = (await entry('K3', isText)).entry.payload
    assert.ok(isKey(again), 'text and key in one')
    assert.deepEqual([again.key.participant, again.key.participantAlt], [BEN_LID, `${BEN}@s.whatsapp.net`])
    await say('K4', {})
    await entry('K4', isText)
    await stage.op('drained')
})

test('edits, revokes, reactions and votes are journaled whole, with keys as the page says', async () => {
    const { stage, daemon } = await shared()
    const say = async (/** @type {string} */ id, /** @type {any} */ what) => {
        await stage.op('message', { chat: ANA, id, time, ...what })
        return (await daemon.message(id)).entry.payload.message
    }
    const edit = (await say('X1', { edit: { id: 'M', text: 'new' } })).editedMessage.message.protocolMessage
    assert.deepEqual([edit.type, edit.key.id, edit.key.fromMe, edit.editedMessage.conversation, edit.timestampMs],
        [14, 'M', true, 'new', time * 1000])
    assert.deepEqual((await say('X2', { revoke: { id: 'M' } })).protocolMessage.key.fromMe, true)
    const { reactionMessage } = await say('X3', { react: { id: 'OURS', text: '👍' } })
    assert.deepEqual([reactionMessage.key.fromMe, reactionMessage.key.remoteJid], [true, ANA_JID])
    const pollCreationMessageKey = { remoteJid: MY_JID, fromMe: false, id: 'POLL' }
    const vote = { encPayload: 'SS8=', encIv: 'SS8=' }
    const voted = await say('X4', { message: { pollUpdateMessage: { pollCreationMessageKey, vote } } })
    assert.deepEqual([voted.pollUpdateMessage.vote, voted.pollUpdateMessage.pollCreationMessageKey.fromMe],
        [vote, true])
})

test('a chunk of nothing but push names is a record of contacts', async () => {
    const { stage, daemon } = await shared()
    const pushnames = [{ phone: ANA, name: 'Ana' }, { phone: BEN, name: 'Ben', form: 'lid' }]
    await stage.op('history', { chunks: [{ sync_type: 'PUSH_NAME', pushnames }] })
    const { entry } = await daemon.entry('history', ({ payload }) => payload.syncType === 4)
    assert.deepEqual(entry.payload.contacts, [{ id: ANA_JID, notify: 'Ana' }, { id: BEN_LID, notify: 'Ben' }])
    assert.deepEqual([entry.payload.messages, entry.payload.chats], [[], []])
    const end = (await daemon.entry('history-end', each => each.payload.notice === entry.payload.notice)).entry.payload
    assert.deepEqual([end.result, end.records, end.messages], ['complete', 1, 0])
})
