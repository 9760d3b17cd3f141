/** Groups as they are today: sender keys, both identities, and what changes in them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Fake } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'
const BEN = '15550003333'
const GROUP = '120363000000000001@g.us'
const ANA_LID = '88000000002222@lid'
const BEN_LID = '88000000003333@lid'

/** @param {import('node:test').TestContext} t @param {any} [group] */
async function team(t, group = {}) {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('group', { id: GROUP, subject: 'Team', members: [ME, ANA, BEN], addressing: 'lid', ...group })
    /** @param {string} from @param {string} id @param {any} [more] */
    const say = (from, id, more) => fake.op('message', { account: ME, chat: GROUP, from, id, text: id, ...more })
    /** @param {string} id */
    const kinds = id => fake.server.world.companion(ME).sent.get(id).stanza.content
        .map((/** @type {any} */ enc) => enc.attrs.type)
    /** @param {string} action @param {any} args */
    const change = (action, args) => fake.op('group-event', { account: ME, group: GROUP, action, ...args })
    return { fake, client, say, kinds, change }
}

test('a sender key is given until the device has it, and messages are read with it', async t => {
    const { client, say, kinds, fake } = await team(t)
    for (const [from, id] of [[ANA, 'A1'], [ANA, 'A2'], [BEN, 'B1']]) {
        await say(from, id)
        await fake.wait('receipt', { id })
    }
    assert.deepEqual([kinds('A1'), kinds('A2'), kinds('B1')], [['pkmsg', 'skmsg'], ['skmsg'], ['pkmsg', 'skmsg']])
    for (const id of ['A1', 'A2', 'B1']) assert.equal((await client.message(id)).message.conversation, id)
    const { key } = await client.message('A2')
    assert.deepEqual([key.participant, key.participantAlt, key.addressingMode],
        [ANA_LID, `${ANA}@s.whatsapp.net`, 'lid'])
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('under the other identity the key is given again, since a client files it under the sender', async t => {
    const { client, say, kinds, fake } = await team(t)
    for (const [id, addressing] of [['A1', 'lid'], ['A2', 'pn'], ['A3', 'lid']]) {
        await say(ANA, id, { addressing })
        assert.equal((await client.message(id)).message.conversation, id)
        await fake.wait('receipt', { id })
    }
    assert.deepEqual([kinds('A2'), kinds('A3')], [['msg', 'skmsg'], ['skmsg']])
})

test('when a member leaves or is removed, those who stay take new keys, and so on request', async t => {
    const { client, say, kinds, change, fake } = await team(t)
    const heard = async (/** @type {string} */ id) => {
        await say(ANA, id)
        await fake.wait('receipt', { id })
    }
    await heard('A1')
    const { members } = await change('remove', { by: ANA, members: [BEN] })
    assert.deepEqual(members, [`${ME}@s.whatsapp.net`, `${ANA}@s.whatsapp.net`])
    await heard('A2')
    await fake.op('rotate', { group: GROUP, of: ANA })
    await heard('A3')
    await heard('A4')
    assert.deepEqual([kinds('A2'), kinds('A3'), kinds('A4')], [['msg', 'skmsg'], ['msg', 'skmsg'], ['skmsg']])
    for (const id of ['A1', 'A2', 'A3', 'A4']) assert.equal((await client.message(id)).message.conversation, id)
})

test('a group message that cannot be read is sent again to the device alone, with the key', async t => {
    const { client, say, fake } = await team(t)
    await say(ANA, 'A1', { corrupt: true })
    await fake.wait('resent', { id: 'A1' })
    const { messages } = await client.until('messages.upsert', data => data.messages.some((/** @type {any} */ each) =>
        each.key.id === 'A1' && each.message?.conversation === 'A1'))
    assert.ok(messages.at(-1).message.senderKeyDistributionMessage, 'the key comes with it')
    await say(ANA, 'A2')
    assert.equal((await client.message('A2')).message.conversation, 'A2')
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('what changes in a group is told as the real server tells it', async t => {
    const { client, change, fake } = await team(t)
    await change('create', { by: ANA, members: [ME], subject: 'New team', addressing: 'lid', id: 'N0' })
    const actions = [
        ['add', { by: ANA, members: [BEN] }, 27], ['promote', { by: ANA, members: [BEN] }, 29],
        ['demote', { by: ANA, members: [BEN] }, 30], ['subject', { by: BEN, subject: 'Newer' }, 21],
        ['description', { by: BEN, description: 'About' }, 24], ['announce', { by: ANA, on: false }, 26],
        ['leave', { by: BEN }, 32], ['remove', { by: ANA, members: [ME] }, 28]
    ]
    for (const [action, args] of actions) await change(String(action), { ...Object(args), id: `N-${action}` })
    const created = await client.message('N0')
    assert.deepEqual([created.messageStubType, created.messageStubParameters], [20, ['New team']])
    for (const [action, , stub] of actions) {
        assert.equal((await client.message(`N-${action}`)).messageStubType, stub, String(action))
    }
    const [person] = (await client.message('N-add')).messageStubParameters
    assert.deepEqual(JSON.parse(person), { id: BEN_LID, phoneNumber: `${BEN}@s.whatsapp.net`, admin: null })
    assert.equal((await client.message('N-add')).key.participant, ANA_LID)
    assert.deepEqual((await client.message('N-subject')).messageStubParameters, ['Newer'])
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
    const about = await client.sock.groupMetadata(GROUP)
    assert.deepEqual([about.subject, about.desc, about.announce, about.participants.length],
        ['Newer', 'About', false, 1])
    await assert.rejects(change('dance', { by: ANA }), /unknown action/)
})

test('members edit and revoke their own messages, react to those of others, and admins revoke anybody\'s', async t => {
    const { client, say, fake } = await team(t, { admins: [BEN] })
    await say(ANA, 'A1')
    await say(ANA, 'E1', { edit: { id: 'A1', text: 'better' } })
    await say(BEN, 'R1', { react: { id: 'A1', text: '👍', participant: ANA } })
    await say(ANA, 'R2', { react: { id: 'A1', text: '', from_me: true } })
    await say(BEN, 'D1', { revoke: { id: 'A1', by_admin_of: ANA } })
    await say(ANA, 'D2', { revoke: { id: 'A1' } })
    const edit = (await client.message('E1')).message.editedMessage.message.protocolMessage
    assert.deepEqual([edit.editedMessage.conversation, edit.key.id, edit.type], ['better', 'A1', 14])
    const reaction = (await client.message('R1')).message.reactionMessage
    assert.deepEqual([reaction.text, reaction.key.id, reaction.key.participant, reaction.key.fromMe],
        ['👍', 'A1', ANA_LID, false])
    assert.equal((await client.message('R2')).message.reactionMessage.key.participant, ANA_LID)
    const byAdmin = (await client.message('D1')).message.protocolMessage
    assert.deepEqual([byAdmin.type, byAdmin.key.participant, byAdmin.key.fromMe], [0, ANA_LID, false])
    const own = (await client.message('D2')).message.protocolMessage
    assert.deepEqual([own.key.id, own.key.fromMe], ['A1', true])
    const { sent } = fake.server.world.companion(ME)
    assert.deepEqual(['E1', 'D1', 'D2', 'R1'].map(id => sent.get(id).stanza.attrs.edit), ['1', '8', '7', undefined])
    await client.until('messages.update', data => data[0].key.id === 'A1' && data[0].update.messageStubType === 1)
})

test('a flood of somebody new is read whole, in whatever order Baileys takes it', async t => {
    const { fake, client } = await team(t)
    const flood = (/** @type {any} */ args) => fake.op('messages', { account: ME, count: 60, from: ANA, ...args })
    await Promise.all([
        flood({ chat: GROUP, prefix: 'G' }), flood({ chat: GROUP, prefix: 'P', addressing: 'pn' }),
        flood({ chat: ANA, prefix: 'C' }), flood({ chat: ANA, prefix: 'L', addressing: 'lid' })
    ])
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
    const { heard } = await fake.op('heard', { account: ME, event: 'retry' })
    assert.deepEqual(heard, [])
    assert.equal(new Set(client.ids()).size, 240)
})
