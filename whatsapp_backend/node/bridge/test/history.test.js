import assert from 'node:assert/strict'
import test from 'node:test'
import { proto } from '../engine.js'
import { HistoryQueue } from '../history.js'
import { Feed } from './feed.js'
import { ACCOUNT, ANA, ME, sharedStage, Stage } from './stage.js'

const CHAT = `${ANA}@s.whatsapp.net`
const shared = sharedStage()

/** @param {import('./daemon.js').Daemon} daemon */
const idsIn = daemon => daemon.disk.entries('history')
    .flatMap(({ payload }) => payload.messages.map((/** @type {any} */ message) => message.key.id))

for (const as of ['inline', 'blob']) {
    test(`history that comes ${as} is journaled completely, in records under the credit`, async t => {
        const stage = await Stage.set(t)
        const daemon = await stage.paired()
        await stage.op('history', { conversations: 3, messages: 900, chunk_messages: 500, as })
        await daemon.entry('history-end')
        const notices = daemon.disk.entries('history-notice')
        assert.equal(notices.length, 2)
        await daemon.entry('history-end', end => end.payload.notice === notices[1].source)
        const ends = daemon.disk.entries('history-end')
        assert.deepEqual(ends.map(end => end.payload.result), ['complete', 'complete'])
        const records = daemon.disk.entries('history')
        assert.equal(ends.reduce((sum, end) => sum + end.payload.records, 0), records.length)
        assert.equal(new Set(idsIn(daemon)).size, 900)
        assert.ok(records.every(({ payload }) => payload.messages.length <= 200))
        const [message] = records.flatMap(({ payload }) => payload.messages)
        assert.ok(message.raw.length > 10)
        assert.equal(typeof message.messageTimestamp, 'number')
        const { payload } = await daemon.do('decode', undefined, { form: 'web', raw: message.raw, me: { id: CHAT } })
        assert.deepEqual({ ...payload, raw: message.raw }, message)
        await assertBegun(daemon, notices)
    })
}

/** @param {import('./daemon.js').Daemon} daemon @param {any[]} notices */
async function assertBegun(daemon, notices) {
    const begun = daemon.frames.all.filter(frame => frame.begin).map(frame => frame.begin)
    assert.deepEqual(begun, notices.map(notice => notice.source))
}

test('no more than four records are on their way', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    daemon.keeps = frame => !frame.entries?.some((/** @type {any} */ entry) => entry.kind === 'history')
    await stage.op('history', { conversations: 1, messages: 1200, chunk_messages: 1200 })
    await daemon.entry('history', entry => entry.source.includes('#3:'))
    await new Promise(resolve => setTimeout(resolve, 200))
    const sent = daemon.frames.all.filter(frame => frame.entries?.[0]?.kind === 'history')
    assert.equal(sent.length, 4)
    for (const { account, id } of sent) daemon.send({ t: 'committed', account, id })
    await daemon.entry('history', entry => entry.source.includes('#5:'))
})

test('a chunk whose download was cut off by a crash is downloaded again, and absorbed', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    daemon.keeps = frame => !frame.entries?.some((/** @type {any} */ entry) => entry.source.includes('#2:'))
    await stage.op('history', { conversations: 1, messages: 700, chunk_messages: 700, as: 'blob' })
    await daemon.entry('history', entry => entry.source.includes('#2:'))
    const before = daemon.disk.entries('history').length
    const next = await stage.killed(daemon)
    assert.equal(next.disk.open(ACCOUNT).length, 1)
    await stage.opened(next)
    await next.entry('history-end')
    assert.equal(new Set(idsIn(next)).size, 700)
    assert.ok(before < next.disk.entries('history').length)
    assert.deepEqual(next.disk.open(ACCOUNT), [])
})

test('a download that fails is tried again', async () => {
    const { stage, daemon } = await shared()
    await stage.op('cdn', { status: 404, times: 1 })
    await stage.op('history', { conversations: 1, messages: 5, as: 'blob' })
    const { entry } = await daemon.entry('history-end')
    assert.equal(entry.payload.result, 'complete')
    const failed = daemon.frames.all.filter(frame => frame.event === 'history-download-failed')
    assert.deepEqual(failed.map(frame => frame.fields), [{ attempt: 1, error: 'Error' }])
})

test('a page of history comes under the session of its request', async () => {
    const { stage, daemon } = await shared()
    const { messages } = await stage.op('store', { chat: ANA, count: 30 })
    const anchor = messages.at(-1)
    const { request } = await daemon.do('fetch-history', ACCOUNT, {
        chat: CHAT, anchor: { id: anchor.id, fromMe: anchor.from_me }, time: anchor.time, count: 20
    })
    const end = (await daemon.entry('history-end', entry => entry.payload.session === request)).entry
    assert.equal(end.payload.messages, 20)
    assert.equal(end.payload.chats[0].id, CHAT)
    assert.equal(end.origin, 'ondemand')
    const asked = await stage.events.until('request', event => event.event === 'on-demand-request')
    assert.equal(asked.time, anchor.time)
    const page = daemon.disk.entries('history').filter(({ payload }) => payload.session === request)
    assert.equal(page.flatMap(({ payload }) => payload.messages).length, 20)
})

test('the daemon may choose the id of its request, and what unit the time is told in', async () => {
    const { stage, daemon } = await shared()
    const { messages } = await stage.op('store', { chat: ANA, count: 10 })
    const { id, from_me: fromMe, time } = messages.at(-1)
    const chosen = '3EB00123456789ABCDEF01'
    const wanted = { chat: CHAT, anchor: { id, fromMe }, time, count: 5, unit: 'ms', id: chosen }
    assert.deepEqual(await daemon.do('fetch-history', ACCOUNT, wanted), { request: chosen })
    const { entry } = await daemon.entry('history-end', each => each.payload.session === chosen)
    assert.equal(entry.payload.messages, 5)
    const asked = await stage.events.until('request', event =>
        event.event === 'on-demand-request' && event.request === chosen)
    assert.equal(asked.time, time * 1000)
    await assert.rejects(daemon.do('fetch-history', ACCOUNT, { ...wanted, id: 7 }), { code: 'bad-arguments' })
})

test('a phone that cannot read a session any more can be asked in a new one', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const { messages } = await stage.op('store', { chat: ANA, count: 10 })
    const { id: anchor, from_me: fromMe, time } = messages.at(-1)
    const wanted = { chat: CHAT, anchor: { id: anchor, fromMe }, time, count: 5 }
    const { request } = await daemon.do('fetch-history', ACCOUNT, wanted)
    await daemon.entry('history-end', each => each.payload.session === request)
    await stage.control.run('person', { phone: ME, online: false })
    daemon.keeps = frame => !frame.keys?.session // killed between sending and keeping the session's step
    daemon.do('fetch-history', ACCOUNT, { ...wanted, id: '3EB00123456789ABCDEF02' }).catch(() => {})
    const heard = (/** @type {string} */ id) => stage.events.until(id, event =>
        event.event === 'on-demand-request' && event.request === id)
    await heard('3EB00123456789ABCDEF02')
    const next = await stage.killed(daemon)
    await stage.opened(next)
    await next.do('fetch-history', ACCOUNT, { ...wanted, id: '3EB00123456789ABCDEF03' })
    const unread = await stage.events.until('peer', event => event.event === 'peer')
    assert.deepEqual([unread.id, unread.decrypted], ['3EB00123456789ABCDEF03', false])
    await next.do('fetch-history', ACCOUNT, { ...wanted, id: '3EB00123456789ABCDEF04', fresh: true })
    await heard('3EB00123456789ABCDEF04')
})

test('a history notice that somebody else made up stays a message', async () => {
    const { stage, daemon } = await shared()
    const historySyncNotification = { syncType: 0, initialHistBootstrapInlinePayload: 'eJwDAAAAAAE=' }
    const message = { protocolMessage: { type: 5, historySyncNotification } }
    await stage.op('message', { chat: ANA, id: 'SPOOF', message })
    const { entry } = await daemon.message('SPOOF')
    assert.equal(entry.kind, 'message')
    assert.ok(!daemon.disk.entries('history-notice').some(({ payload }) => payload.key.id === 'SPOOF'))
    assert.equal(entry.payload.key.remoteJid, CHAT)
    assert.notEqual(entry.payload.key.remoteJid, ME)
})

/** @param {any} answer what the network does @param {number} until how many commits */
async function queued(answer, until) {
    const notice = { syncType: 3, directPath: '/x', mediaKey: Buffer.alloc(32, 1), fileLength: 10 }
    const message = { protocolMessage: { type: 5, historySyncNotification: notice } }
    const raw = Buffer.concat([proto.Message.encode(proto.Message.fromObject(message)).finish(), Buffer.from([1])])
    /** @type {Feed<any>} */
    const commits = new Feed()
    const link = /** @type {any} */ ({ commit: async (/** @type {any} */ commit) => commits.add(commit), log() {} })
    const me = () => ({ id: `${ME}:1@s.whatsapp.net` })
    const queue = new HistoryQueue({ link, me, sock: () => /** @type {any} */ ({}), pauses: [1, 1], laterMs: 5 })
    const { fetch } = globalThis
    globalThis.fetch = answer
    try {
        queue.add({ source: 'enc:n', raw, envelope: { from: `${ME}@s.whatsapp.net`, id: 'H', t: '1' } })
        queue.start()
        await commits.until('enough', () => commits.all.length >= until)
    } finally {
        queue.end()
        globalThis.fetch = fetch
    }
    return commits.all.map(({ begin, entries }) => begin ?? entries[0].payload.result)
}

test('a download that the network fails is never given up while the socket lives', async () => {
    const refused = async () => { throw new TypeError('fetch failed') }
    assert.deepEqual(await queued(refused, 3), ['enc:n', 'enc:n', 'enc:n'])
    const busy = async () => new Response('', { status: 503 })
    assert.deepEqual(await queued(busy, 3), ['enc:n', 'enc:n', 'enc:n'])
})

test('a download that is gone, or can never be read, ends as failed', async () => {
    assert.deepEqual(await queued(async () => new Response('', { status: 410 }), 2), ['enc:n', 'failed'])
    assert.deepEqual(await queued(async () => new Response('x'.repeat(64)), 2), ['enc:n', 'failed'])
})
