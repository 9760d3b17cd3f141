import assert from 'node:assert/strict'
import test from 'node:test'
import { downloadMediaMessage } from 'baileys'
import { Fake } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'
const BEN = '15550003333'
const GROUP = '120363000000000001@g.us'

test('the first message of a contact starts a session, the next ones use it', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('person', { phone: ANA, name: 'Ana' })
    await fake.op('message', { account: ME, chat: ANA, id: 'A1', text: 'one', time: 1795328371 })
    await fake.wait('receipt', { id: 'A1' })
    await fake.op('message', { account: ME, chat: ANA, id: 'A2', text: 'two' })
    const first = await client.message('A1')
    assert.equal(first.message.conversation, 'one')
    assert.equal(first.pushName, 'Ana')
    assert.equal(first.messageTimestamp, 1795328371)
    assert.equal(first.upsert, 'notify')
    assert.equal(first.key.remoteJid, `${ANA}@s.whatsapp.net`)
    assert.equal(first.key.remoteJidAlt, '88000000002222@lid')
    assert.equal((await client.message('A2')).message.conversation, 'two')
    const sent = fake.server.world.companion(ME).sent
    assert.equal(sent.get('A1').stanza.content[0].attrs.type, 'pkmsg')
    assert.equal(sent.get('A2').stanza.content[0].attrs.type, 'msg')
    await fake.wait('receipt', { id: 'A2' })
    assert.deepEqual((await fake.op('queued', { account: ME })).queued, [])
})

test('a session starts on the signed key alone when one-time keys have run out', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    assert.equal((await fake.op('prekeys', { account: ME, keep: 0 })).left, 0)
    await fake.op('message', { account: ME, chat: ANA, id: 'A1', text: 'no prekey' })
    assert.equal((await client.message('A1')).message.conversation, 'no prekey')
})

test('LID addressing carries the number beside it', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'L1', text: 'lid', addressing: 'lid' })
    const { key, message } = await client.message('L1')
    assert.equal(message.conversation, 'lid')
    assert.equal(key.remoteJid, '88000000002222@lid')
    assert.equal(key.remoteJidAlt, `${ANA}@s.whatsapp.net`)
    assert.equal(key.addressingMode, 'lid')
})

test('a reply carries the quoted message, media carry caption and a file that can be downloaded', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const quote = { id: 'A1', from: `${ME}@s.whatsapp.net`, text: 'ok?' }
    await fake.op('message', { account: ME, chat: ANA, id: 'Q', text: 'yes', quote })
    const { extendedTextMessage } = (await client.message('Q')).message
    assert.equal(extendedTextMessage.text, 'yes')
    assert.equal(extendedTextMessage.contextInfo.quotedMessage.conversation, 'ok?')
    for (const kind of ['image', 'video', 'document', 'audio']) {
        await fake.op('message', { account: ME, chat: ANA, id: kind, kind, caption: `a ${kind}` })
        const received = await client.message(kind)
        assert.ok(received.message[`${kind}Message`].mimetype)
        if (kind !== 'audio') assert.equal(received.message[`${kind}Message`].caption, `a ${kind}`)
    }
    const image = await client.message('image')
    const { host } = new URL(fake.url)
    image.message.imageMessage.url = `http://${host}${image.message.imageMessage.directPath}`
    image.message.imageMessage.directPath = null
    const bytes = await downloadMediaMessage(image, 'buffer', {})
    assert.equal(bytes.toString(), 'content of image')
})

test('what the owner types on the phone arrives as sent by me', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'O1', text: 'mine', from_me: true })
    await fake.op('message', { account: ME, chat: ANA, id: 'O2', text: 'mine too', from_me: true, addressing: 'lid' })
    const one = await client.message('O1')
    assert.equal(one.message.conversation, 'mine')
    assert.deepEqual([one.key.fromMe, one.key.remoteJid], [true, `${ANA}@s.whatsapp.net`])
    const two = await client.message('O2')
    assert.deepEqual([two.key.fromMe, two.key.remoteJid], [true, '88000000002222@lid'])
    assert.equal((await fake.wait('receipt', { id: 'O1' })).type, 'sender')
})

test('groups: pairwise and by sender key, in both address forms', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('group', { id: GROUP, subject: 'Team', members: [ME, ANA, BEN] })
    const common = { account: ME, chat: GROUP }
    await fake.op('message', { ...common, from: ANA, id: 'G1', text: 'pn' })
    await fake.op('message', { ...common, from: BEN, id: 'G2', text: 'lid', addressing: 'lid' })
    await fake.op('message', { ...common, from: ANA, id: 'G3', text: 'key', encryption: 'sender-key' })
    await fake.op('message', { ...common, from: ANA, id: 'G4', text: 'key again', encryption: 'sender-key' })
    await fake.op('message', { ...common, id: 'G5', text: 'mine', from_me: true })
    const [g1, g2] = [await client.message('G1'), await client.message('G2')]
    assert.deepEqual([g1.key.participant, g1.key.participantAlt], [`${ANA}@s.whatsapp.net`, '88000000002222@lid'])
    assert.deepEqual([g2.key.participant, g2.key.participantAlt], ['88000000003333@lid', `${BEN}@s.whatsapp.net`])
    assert.equal((await client.message('G3')).message.conversation, 'key')
    assert.equal((await client.message('G4')).message.conversation, 'key again')
    assert.equal((await client.message('G5')).key.fromMe, true)
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('messages that are not encrypted, and raw ones', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'P1', text: 'plain', encryption: 'plaintext' })
    assert.equal((await client.message('P1')).message.conversation, 'plain')
    const reaction = { key: { remoteJid: `${ME}@s.whatsapp.net`, fromMe: true, id: 'X' }, text: '+' }
    await fake.op('message', { account: ME, chat: ANA, id: 'R1', message: { reactionMessage: reaction } })
    assert.equal((await client.message('R1')).message.reactionMessage.text, '+')
    await fake.op('message', { account: ME, chat: 'status@broadcast', from: ANA, id: 'S1', text: 'status' })
    assert.equal((await client.message('S1')).key.remoteJid, 'status@broadcast')
})

test('ids of any shape survive the wire', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    for (const id of ['a/b', '..', '__x__', '~', 'é ü', 'y'.repeat(1500)]) {
        await fake.op('message', { account: ME, chat: ANA, id, text: 'odd' })
        assert.equal((await client.message(id)).message.conversation, 'odd')
    }
})

test('a message that cannot be decrypted is asked for and sent again under its id', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'B0', text: 'good' })
    await fake.op('message', { account: ME, chat: ANA, id: 'B1', text: 'spoiled', corrupt: true })
    await fake.wait('retry', { id: 'B1' })
    await fake.wait('resent', { id: 'B1' })
    await client.until('messages.upsert', data => data.messages.some((/** @type {any} */ each) =>
        each.key.id === 'B1' && each.message?.conversation === 'spoiled'))
    await fake.op('drained', { account: ME })
    const { heard } = await fake.op('heard', { account: ME, id: 'B1' })
    assert.deepEqual(heard.map((/** @type {any} */ each) => each.event).sort(), ['nack', 'receipt', 'retry'])
})

test('the same stanza again is refused with 487', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'D1', text: 'once' })
    await client.message('D1')
    await fake.op('duplicate', { account: ME, id: 'D1' })
    assert.equal((await fake.wait('nack', { id: 'D1' })).error, 487)
})

test('what the client sends is decrypted, recorded and acknowledged; receipts reach it', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await client.sock.sendMessage(`${ANA}@s.whatsapp.net`, { text: 'hello Ana' }, { messageId: 'C1' })
    const sent = await fake.wait('sent', { id: 'C1' })
    assert.equal(sent.text, 'hello Ana')
    assert.deepEqual(sent.copies.map((/** @type {any} */ each) => each.ok), [true, true])
    await client.message('C1')
    await fake.op('receipt', { account: ME, from: ANA, ids: ['C1'], type: 'read' })
    const [update] = await client.until('messages.update', data => data[0].key.id === 'C1')
    assert.equal(update.update.status, 4)
    assert.equal(update.key.fromMe, true)
    await fake.wait('ack', { id: 'C1', class: 'receipt' })
    await fake.op('message', { account: ME, chat: ANA, id: 'C2', text: 'hello back' })
    assert.equal((await client.message('C2')).message.conversation, 'hello back')
})

test('a group message of the client reaches every member', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('group', { id: GROUP, subject: 'Team', members: [ME, ANA, BEN] })
    await client.sock.sendMessage(GROUP, { text: 'all of you' }, { messageId: 'C3' })
    const sent = await fake.wait('sent', { id: 'C3' })
    assert.deepEqual(sent.copies.map((/** @type {any} */ each) => each.text), ['all of you', 'all of you'])
    await client.message('C3')
    await fake.op('receipt', { account: ME, from: ANA, ids: ['C3'], chat: GROUP })
    const [update] = await client.until('message-receipt.update', data => data[0].key.id === 'C3')
    assert.equal(update.receipt.userJid, `${ANA}@s.whatsapp.net`)
})
