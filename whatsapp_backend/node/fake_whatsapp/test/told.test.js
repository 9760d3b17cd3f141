/** Receipts, calls, changes and polls as stock Baileys hears them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Fake } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'
const BEN = '15550003333'
const ANA_JID = `${ANA}@s.whatsapp.net`
const ANA_LID = '88000000002222@lid'
const GROUP = '120363000000000001@g.us'

test('receipts of every type, with many ids, under either identity', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const common = { account: ME, from: ANA }
    await fake.op('receipt', { ...common, ids: ['A1', 'A2', 'A3'] })
    await fake.op('receipt', { ...common, ids: ['B1'], type: 'played', addressing: 'lid', alt: true })
    for (const id of ['A1', 'A2', 'A3']) assert.equal((await client.update('messages.update', id)).update.status, 3)
    const played = await client.update('messages.update', 'B1')
    assert.deepEqual([played.key.remoteJid, played.key.fromMe, played.update.status], [ANA_LID, true, 5])
    await fake.wait('ack', { id: 'B1', class: 'receipt' })
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('what another device of the owner has read names the chat as recipient', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('receipt', { account: ME, own: true, chat: ANA, ids: ['A1', 'A2'], type: 'read-self' })
    for (const id of ['A1', 'A2']) {
        const { key, update } = await client.update('messages.update', id)
        assert.deepEqual([key.remoteJid, key.fromMe, update.status], [ANA_JID, false, 4])
    }
    await fake.op('receipt', { account: ME, own: true, chat: ANA, ids: ['L1'], type: 'read', addressing: 'lid' })
    const lid = await client.update('messages.update', 'L1')
    assert.deepEqual([lid.key.remoteJid, lid.key.fromMe], [ANA_LID, false])
})

test('group receipts come by participant, or for several people in one', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('group', { id: GROUP, members: [ME, ANA, BEN] })
    const common = { account: ME, chat: GROUP, addressing: 'lid' }
    await fake.op('receipt', { ...common, ids: ['G0'], users: [{ phone: ANA }, { phone: BEN, time: 5 }] })
    await fake.op('receipt', { ...common, ids: ['G1', 'G2'], from: ANA, type: 'read' })
    await fake.op('receipt', { ...common, ids: ['G3'], own: true, recipient: ANA, type: 'read' })
    for (const id of ['G1', 'G2']) {
        const { key, receipt } = await client.update('message-receipt.update', id)
        assert.deepEqual([receipt.userJid, key.participant], [ANA_LID, ANA_LID])
        assert.equal(typeof receipt.readTimestamp, 'number')
    }
    await client.update('message-receipt.update', 'G3')
    assert.equal((await fake.op('drained', { account: ME })).left, 0, 'the one that the client passes over, too')
})

test('calls are offered, answered elsewhere, missed', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    /** @type {any[]} */
    const calls = []
    client.sock.ev.on('call', heard => calls.push(...heard))
    const say = (/** @type {any} */ args) => fake.op('call', { account: ME, from: ANA, ...args })
    await say({ id: 'C1', video: true, addressing: 'lid' })
    await say({ id: 'C1', what: 'timeout', addressing: 'lid' })
    await say({ id: 'C2' })
    await say({ id: 'C2', what: 'accept' })
    await say({ id: 'C2', what: 'terminate', reason: 'accepted_elsewhere' })
    await say({ id: 'C3', group: GROUP })
    await say({ id: 'C3', what: 'reject', by: BEN, group: GROUP })
    assert.equal((await client.message('C1')).messageStubType, 41)
    await client.message('C3')
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
    assert.deepEqual(calls.map(({ id, status }) => `${id} ${status}`), [
        'C1 offer', 'C1 timeout', 'C2 offer', 'C2 accept', 'C2 terminate', 'C3 offer', 'C3 reject'
    ])
    assert.deepEqual([calls[0].from, calls[0].callerPn, calls[0].isVideo], [ANA_LID, ANA_JID, true])
    assert.deepEqual([calls[5].isGroup, calls[5].groupJid], [true, GROUP])
})

test('edits, revokes, reactions, polls and votes come through in a chat of two', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const say = (/** @type {string} */ id, /** @type {any} */ what) =>
        fake.op('message', { account: ME, chat: ANA, id, ...what })
    await say('M1', { text: 'helo' })
    await say('E1', { edit: { id: 'M1', text: 'hello' } })
    await say('R1', { react: { id: 'MINE', text: '❤️' } })
    await say('R2', { react: { id: 'M1', text: '😀' }, from_me: true })
    await say('D1', { revoke: { id: 'M1' } })
    const options = [{ optionName: 'yes' }, { optionName: 'no' }]
    await say('P1', { message: { pollCreationMessageV3: { name: 'Well?', options, selectableOptionsCount: 1 } } })
    const pollCreationMessageKey = { remoteJid: ANA_JID, fromMe: true, id: 'P1' }
    const vote = { encPayload: 'SS8=', encIv: 'SS8=' }
    await say('V1', { message: { pollUpdateMessage: { pollCreationMessageKey, vote } } })
    const [edited] = await client.until('messages.update', data => data[0].update.message?.editedMessage)
    assert.equal(edited.key.id, 'M1')
    const mine = (await client.message('R1')).message.reactionMessage
    assert.deepEqual([mine.text, mine.key.id, mine.key.fromMe, mine.key.remoteJid], ['❤️', 'MINE', true, ANA_JID])
    const theirs = (await client.message('R2'))
    assert.deepEqual([theirs.key.fromMe, theirs.message.reactionMessage.key.fromMe], [true, false])
    const [revoked] = await client.until('messages.update', data => data[0].update.messageStubType === 1)
    assert.equal(revoked.key.id, 'M1')
    assert.equal((await client.message('P1')).message.pollCreationMessageV3.name, 'Well?')
    assert.equal((await client.message('V1')).message.pollUpdateMessage.pollCreationMessageKey.fromMe, false)
})

test('a phone sends old messages again, late, empty-handed or not at all', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const long = Math.floor(Date.now() / 1000) - 13 * 24 * 3600
    await fake.op('store', { account: ME, chat: ANA, messages: [{ id: 'OLD', text: 'long ago', time: long }] })
    const ask = () => client.sock.sendPeerDataOperationMessage({
        placeholderMessageResendRequest: [{ messageKey: { remoteJid: ANA_JID, fromMe: false, id: 'OLD' } }],
        peerDataOperationRequestType: 4
    })
    // The client's buffer forgets the request.
    const { emit } = client.sock.ev
    client.sock.ev.emit = (event, data) => {
        client.feed.add({ event: `emitted ${event}`, data })
        return emit(event, data)
    }
    const answered = (/** @type {string} */ request) =>
        client.until('emitted messages.upsert', data => data.requestId === request)
    await fake.op('person', { phone: ME, placeholder_delay_ms: 300 })
    const before = performance.now()
    const { messages } = await answered(await ask())
    assert.equal(messages[0].message.conversation, 'long ago')
    assert.ok(performance.now() - before >= 290)
    await fake.op('person', { phone: ME, placeholder_delay_ms: 0, resends_placeholders: 'empty' })
    const empty = await ask()
    await client.until('messages.upsert', data => data.messages[0].message?.protocolMessage
        ?.peerDataOperationRequestResponseMessage?.stanzaId === empty)
    await fake.op('person', { phone: ME, resends_placeholders: false })
    const silent = await ask()
    await fake.wait('placeholder-request', { request: silent })
    await fake.op('person', { phone: ME, resends_placeholders: true })
    await answered(await ask())
    const requests = client.feed.all.map(each => each.data.requestId)
    assert.deepEqual([requests.includes(empty), requests.includes(silent)], [false, false])
})

test('a chunk of nothing but push names comes through', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const pushnames = [{ phone: ANA, name: 'Ana' }, { phone: BEN, name: 'Ben', form: 'lid' }]
    await fake.op('history', { account: ME, chunks: [{ sync_type: 'PUSH_NAME', pushnames }] })
    const { contacts, messages } = await client.until('messaging-history.set', () => true)
    assert.deepEqual(contacts, [{ id: ANA_JID, notify: 'Ana' }, { id: '88000000003333@lid', notify: 'Ben' }])
    assert.deepEqual(messages, [])
})
