import assert from 'node:assert/strict'
import test from 'node:test'
import { Fake } from './client.js'

const ME = '15550001111'
const ANA = '15550002222'

/** Downloads go where the preload would send them. @param {import('node:test').TestContext} t @param {string} url */
function redirected(t, url) {
    const original = globalThis.fetch
    globalThis.fetch = (input, init) => original(
        String(input).replace('https://mmg.whatsapp.net', `http://${new URL(url).host}`), init)
    t.after(() => {
        globalThis.fetch = original
    })
}

for (const as of ['inline', 'blob']) {
    test(`history comes in several chunks, ${as}`, async t => {
        const fake = await Fake.started(t)
        redirected(t, fake.url)
        const { client } = await fake.linked(ME)
        const recipe = await fake.op('history', {
            account: ME, conversations: 3, messages: 100, chunk_messages: 40, as, prefix: 'H'
        })
        assert.equal(recipe.chunks, 3)
        const sets = []
        for (const chunk of [1, 2, 3]) {
            sets.push(await client.until('messaging-history.set', data => data.chunkOrder === chunk))
        }
        const ids = sets.flatMap(each => each.messages.map((/** @type {any} */ message) => message.key.id))
        assert.equal(new Set(ids).size, 100)
        assert.deepEqual(sets.map(each => each.syncType), [0, 3, 3])
        for (const id of recipe.notices) {
            await fake.wait('receipt', { id, type: 'peer_msg' })
            await fake.wait('receipt', { id, type: 'hist_sync' })
        }
        const text = sets[0].messages.find((/** @type {any} */ each) => each.key.id === 'H-0-3')
        assert.equal(text.message.conversation, 'H 0 3')
        assert.equal(text.key.fromMe, true)
    })
}

test('a chunk as a test writes it, with names and mappings', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('history', { account: ME, chunks: [
        { conversations: [{ chat: ANA, name: 'Ana', unread: 2, form: 'lid', end: 1, messages: [
            { id: 'a', time: 1795328000, text: 'first' },
            { id: 'b', time: 1795328060, text: 'second', from_me: true }] }],
        mappings: [ANA] },
        { sync_type: 'PUSH_NAME', pushnames: [{ phone: ANA, name: 'Anna' }] }
    ] })
    const first = await client.until('messaging-history.set', data => data.syncType === 0)
    assert.deepEqual(first.messages.map((/** @type {any} */ each) => each.key.id), ['b', 'a'])
    assert.equal(first.chats[0].id, '88000000002222@lid')
    assert.equal(first.chats[0].pnJid, `${ANA}@s.whatsapp.net`)
    const names = await client.until('messaging-history.set', data => data.syncType === 4)
    assert.equal(names.contacts[0].notify, 'Anna')
})

test('on-demand pages lead to the beginning of a conversation', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    const { messages } = await fake.op('store', { account: ME, chat: ANA, count: 70, prefix: 'S' })
    const anchor = messages.at(-1)
    const key = { remoteJid: `${ANA}@s.whatsapp.net`, id: anchor.id, fromMe: anchor.from_me }
    const request = await client.sock.fetchMessageHistory(50, key, anchor.time)
    const page = await client.until('messaging-history.set', data => data.peerDataRequestSessionId === request)
    assert.equal(page.syncType, 6)
    assert.equal(page.messages.length, 50)
    assert.equal(page.messages[0].key.id, 'S-68')
    assert.equal((await fake.wait('on-demand-answer', { request })).more, true)
    const asked = await fake.wait('on-demand-request', { request })
    assert.deepEqual([asked.anchor, asked.count, asked.time], ['S-69', 50, anchor.time])

    await fake.op('person', { phone: ME, on_demand: { form: 'lid' } })
    const oldest = messages[19]
    const older = { ...key, id: oldest.id, fromMe: oldest.from_me }
    const last = await client.sock.fetchMessageHistory(50, older, oldest.time)
    const end = await client.until('messaging-history.set', data => data.peerDataRequestSessionId === last)
    assert.equal(end.messages.length, 19)
    assert.equal(end.chats[0].id, '88000000002222@lid')
    assert.equal(end.chats[0].endOfHistoryTransferType, 1)
})

test('a phone that is offline or does not know the anchor is silent', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('store', { account: ME, chat: ANA, count: 10, prefix: 'S' })
    const key = { remoteJid: `${ANA}@s.whatsapp.net`, id: 'nowhere', fromMe: false }
    const unknown = await client.sock.fetchMessageHistory(50, key, 1795328371)
    assert.equal((await fake.wait('on-demand-silence', { request: unknown })).why, 'anchor')
    await fake.op('person', { phone: ME, online: false })
    const request = await client.sock.fetchMessageHistory(50, { ...key, id: 'S-5' }, 1795328371)
    assert.equal((await fake.wait('on-demand-silence', { request })).why, 'offline')
})

test('the phone sends a message again that came without content', async t => {
    const fake = await Fake.started(t)
    const { client } = await fake.linked(ME)
    await fake.op('message', { account: ME, chat: ANA, id: 'E1', text: 'from the phone', encryption: 'none' })
    await client.until('messages.upsert', data => data.messages.some((/** @type {any} */ each) =>
        each.key.id === 'E1' && each.message?.conversation === 'from the phone'))
    assert.deepEqual((await fake.wait('placeholder-request')).ids, ['E1'])
})

test('the media host can refuse, break off and be slow', async t => {
    const fake = await Fake.started(t)
    redirected(t, fake.url)
    const { client } = await fake.linked(ME)
    for (const status of [404, 410]) {
        await fake.op('cdn', { kind: 'History', status })
        await fake.op('history', { account: ME, conversations: 1, messages: 3, as: 'blob' })
        await fake.wait('download', { status })
    }
    await fake.op('cdn', { kind: 'History', delay_ms: 50 })
    await fake.op('history', { account: ME, conversations: 1, messages: 3, as: 'blob', prefix: 'late' })
    const page = await client.until('messaging-history.set', () => true)
    assert.equal(page.messages[0].key.id, 'late-0-2')

    // Not through Baileys: a download that breaks off is an exception that nothing catches there.
    const { blobs } = await fake.op('downloads', { kind: 'History' })
    await fake.op('cdn', { kind: 'History', cut: 20 })
    /** @type {any} */
    const broken = await fetch(`https://mmg.whatsapp.net${blobs[0].path}`, {})
    await assert.rejects(broken.arrayBuffer())
})
