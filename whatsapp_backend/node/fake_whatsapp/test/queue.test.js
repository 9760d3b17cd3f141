import assert from 'node:assert/strict'
import test from 'node:test'
import { Fake } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'

/** @param {number} from @param {number} to @param {string} prefix */
const range = (from, to, prefix) => Array.from({ length: to - from }, (_, i) => `${prefix}-${from + i}`)

test('what waited is announced, delivered as offline and marked at its end', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.wait('closed', { account: ME })
    await fake.op('messages', { account: ME, chat: ANA, count: 20, prefix: 'Q', text: 'while away' })
    const again = await fake.client(store).open()
    await again.caughtUp()
    const last = await again.message('Q-19')
    assert.equal(last.upsert, 'append')
    assert.equal(last.message.conversation, 'while away 19')
    assert.equal((await fake.wait('announced', { count: 20 })).count, 20)
    assert.equal((await fake.wait('opened', { offline: 20 })).offline, 20)
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
    assert.deepEqual(again.ids(), range(0, 20, 'Q'))
})

test('what is lost is announced once and never delivered', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.wait('closed', { account: ME })
    await fake.op('messages', { account: ME, chat: ANA, count: 4, prefix: 'Q' })
    assert.deepEqual(await fake.op('lose', { account: ME, ids: ['Q-1', 'Q-2', 'Q-9'] }), { lost: 2 })
    const again = await fake.client(store).open()
    await again.caughtUp()
    assert.equal((await fake.wait('announced', { count: 4 })).count, 4)
    assert.equal((await fake.wait('opened', { offline: 2 })).offline, 2)
    await fake.op('message', { account: ME, chat: ANA, id: 'L' })
    await again.message('L')
    assert.deepEqual(again.ids(), ['Q-0', 'Q-3', 'L'])
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('a stock client asks for one batch of 100 and gets no end marker before the queue is empty', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.wait('closed', { account: ME })
    await fake.op('messages', { account: ME, chat: ANA, count: 150, prefix: 'Q' })
    const again = await fake.client(store).open()
    const settled = await fake.wait('receipt', { id: 'Q-99' })
    assert.equal(settled.settled, true)
    assert.equal((await fake.op('queued', { account: ME })).count, 50)
    await again.sock.sendNode({ tag: 'ib', attrs: {}, content: [{ tag: 'offline_batch', attrs: { count: '100' } }] })
    await fake.wait('opened', { offline: 150 })
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})

test('flow control can be switched off', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.wait('closed', { account: ME })
    await fake.op('person', { phone: ME, batches: false })
    await fake.op('messages', { account: ME, chat: ANA, count: 150, prefix: 'Q' })
    await fake.client(store).caughtUp()
    await fake.wait('opened', { offline: 150 })
})

test('a lost receipt brings the message back on the next login', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    const { hold } = await fake.op('hold', { account: ME, tag: 'receipt', id: 'M1', then: 'terminate' })
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'twice' })
    const held = await fake.wait('held', { id: 'M1' })
    assert.equal(held.hold, hold)
    assert.equal(await client.closed(), 428)
    const { queued } = await fake.op('queued', { account: ME })
    assert.deepEqual(queued.map((/** @type {any} */ each) => [each.id, each.sends]), [['M1', 1]])
    await fake.client(store).open()
    assert.equal((await fake.wait('nack', { id: 'M1' })).error, 487)
    const { heard } = await fake.op('heard', { account: ME })
    assert.deepEqual(heard.map((/** @type {any} */ each) => [each.event, each.id, each.settled]),
        [['nack', 'M1', true]])
    assert.equal((await fake.op('queued', { account: ME })).count, 0)
})

test('a parked receipt is handled on release', async t => {
    const fake = await Fake.started(t)
    await fake.linked(ME)
    const { hold } = await fake.op('hold', { account: ME, tag: 'receipt', then: 'park' })
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'held' })
    await fake.wait('held', { id: 'M1' })
    assert.equal((await fake.op('queued', { account: ME })).count, 1)
    assert.deepEqual(await fake.op('release', { hold }), { caught: 1, released: 1 })
    assert.equal((await fake.op('queued', { account: ME })).count, 0)
})

test('notifications and other stanzas wait in the same queue', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('stanza', { account: ME, node: { tag: 'notification', attrs: {
        id: 'N1', from: `${ANA}@s.whatsapp.net`, type: 'picture', t: '1795328371' },
    content: [{ tag: 'set', attrs: { id: '1', author: `${ANA}@s.whatsapp.net` } }] } })
    assert.equal((await fake.wait('ack', { id: 'N1' })).class, 'notification')
    await client.until('contacts.update', data => data[0].imgUrl === 'changed')
    await fake.op('message', { account: ME, chat: ANA, id: 'U1', encryption: 'none', unavailable: 'view_once' })
    await client.message('U1')
})

test('five hundred live messages arrive', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const chats = [ANA, '15550003333']
    const recipe = await fake.op('messages', { account: ME, chats, count: 500, prefix: 'L', text: 'x' })
    assert.equal(recipe.count, 500)
    await client.message('L-499', 20000)
    assert.deepEqual(client.ids().sort(), range(0, 500, 'L').sort())
    assert.equal((await fake.op('drained', { account: ME })).left, 0)
})
