import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { WebSocket } from 'ws'
import { Fake, Store } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'

const ENDINGS = /** @type {[Record<string, any>, number][]} */ ([
    [{ code: 503 }, 503], [{ code: 515 }, 515], [{ reason: 'replaced' }, 440], [{ failure: 403 }, 403],
    [{ failure: 405 }, 405], [{ reason: 'removed' }, 401]
])

test('the server ends connections for every reason there is', async t => {
    const fake = await Fake.started(t)
    const { client: first, store } = await fake.linked(ME)
    let client = first
    for (const [args, code] of ENDINGS) {
        await fake.op('disconnect', { account: ME, ...args })
        assert.equal(await client.closed(), code)
        client = fake.client(store)
        if (args.reason !== 'removed') await client.open()
    }
    assert.equal(await client.closed(), 401)
})

test('an account can be refused at login', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.op('person', { phone: ME, refuse: 403 })
    assert.equal(await fake.client(store).closed(), 403)
    await fake.op('person', { phone: ME, refuse: null })
    await fake.client(store).open()
})

test('a second login of the same device replaces the first', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await fake.client(store).open()
    assert.equal(await client.closed(), 440)
})

test('a broken network', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('terminate', { account: ME })
    assert.equal(await client.closed(), 428)
})

for (const stage of ['connect', 'hello', 'login', 'active', 'offline']) {
    test(`stalls, rubbish and broken connections at ${stage}`, async t => {
        const fake = await Fake.started(t)
        const { client, store } = await fake.linked(ME)
        await client.stop()
        for (const action of ['stall', 'terminate', 'rubbish']) {
            await fake.op('fault', { stage, action })
            const hurt = fake.client(store, { connectTimeoutMs: 400, defaultQueryTimeoutMs: 400 })
            await fake.wait('fault', { stage, action })
            if (action === 'terminate') assert.ok(await hurt.closed())
            await hurt.stop()
        }
        await (await fake.client(store).open()).caughtUp()
    })
}

test('a stalled connection says nothing more and keeps its queue', async t => {
    const fake = await Fake.started(t)
    const { store } = await fake.linked(ME)
    await fake.op('stall', { account: ME })
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'into the void' })
    assert.equal((await fake.op('queued', { account: ME })).count, 1)
    const again = await fake.client(store).open()
    assert.equal((await again.message('M1')).upsert, 'append')
})

test('the end marker can be withheld and sent later', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.stop()
    await fake.op('fault', { stage: 'marker', action: 'withhold' })
    const again = await fake.client(store).open()
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'unmarked' })
    await again.message('M1')
    const caughtUp = again.feed.all.filter(each => each.data.receivedPendingNotifications)
    assert.deepEqual(caughtUp, [])
    await fake.op('marker', { account: ME })
    await again.caughtUp()
})

test('a send that the server does not acknowledge', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('hold', { account: ME, tag: 'message', id: 'C1' })
    await client.sock.sendMessage(`${ANA}@s.whatsapp.net`, { text: 'lost' }, { messageId: 'C1' })
    await fake.wait('held', { id: 'C1' })
    assert.deepEqual((await fake.op('sent', { account: ME })).sent, [])
})

test('a send that the server refuses, and one that arrives without an answer', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('hold', { account: ME, tag: 'message', id: 'C1', then: 'refuse', error: 463 })
    await fake.op('hold', { account: ME, tag: 'message', id: 'C2', then: 'no-ack' })
    await client.sock.sendMessage(`${ANA}@s.whatsapp.net`, { text: 'refused' }, { messageId: 'C1' })
    // Baileys' event buffer may merge the refusal into the message.
    const { data } = await client.feed.until(each => JSON.stringify(each.data).includes('"463"'), 'refusal')
    assert.equal(data.messages?.[0].key.id ?? data[0].key.id, 'C1')
    await client.sock.sendMessage(`${ANA}@s.whatsapp.net`, { text: 'unanswered' }, { messageId: 'C2' })
    assert.equal((await fake.wait('sent', { id: 'C2' })).text, 'unanswered')
})

test('a client that was given routing information logs in with it', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    const routing = { tag: 'routing_info', content: { b: 'CAIIBQ==' } }
    await fake.op('stanza', { account: ME, queued: false, node: {
        tag: 'ib', attrs: {}, content: [{ tag: 'edge_routing', content: [routing] }] } })
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'after it' })
    await client.message('M1')
    await client.stop()
    assert.deepEqual(store.creds.routingInfo, Buffer.from('CAIIBQ==', 'base64'))
    await fake.client(store).open()
})

test('a client that sends rubbish costs only its own connection', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const socket = new WebSocket(fake.url)
    await once(socket, 'open')
    socket.send(Buffer.from('57410603000005', 'hex'))
    socket.send(Buffer.from('rubbish'))
    await once(socket, 'close')
    await fake.op('message', { account: ME, chat: ANA, id: 'M1', text: 'still here' })
    await client.message('M1')
})

test('unknown ops and wrong arguments are errors', async t => {
    const fake = await Fake.started(t)
    await assert.rejects(fake.op('nonsense'), /unknown op/)
    await assert.rejects(fake.op('message', { account: ME, chat: ANA, text: 'x' }), /no linked device/)
    await assert.rejects(fake.op('fault', { stage: 'never', action: 'stall' }), /stage must be/)
    await assert.rejects(fake.op('person', { phone: '4917000000' }), /not a test number/)
    assert.ok(new Store().creds.noiseKey)
})
