import assert from 'node:assert/strict'
import test from 'node:test'
import { Backlog } from '../backlog.js'
import { ACCOUNT, ANA, sharedStage, Stage } from './stage.js'

const CHAT = `${ANA}@s.whatsapp.net`
const shared = sharedStage()

test('a round trip to the server takes some milliseconds', async () => {
    const { daemon } = await shared()
    const { ms } = await daemon.do('probe', ACCOUNT)
    assert.ok(Number.isInteger(ms) && ms >= 0 && ms < 5000)
})

test('a server that does not answer is a round trip that failed, and the connection is as it was', async () => {
    const { stage, daemon } = await shared()
    const { hold } = await stage.control.run('hold', { tag: 'iq', xmlns: 'w:p', then: 'lose', times: 1 })
    await assert.rejects(daemon.do('probe', ACCOUNT, { within: 50 }), { code: 'timeout' })
    await stage.control.run('release', { hold })
    assert.ok((await daemon.do('probe', ACCOUNT, { within: 5000 })).ms >= 0)
})

test('a connection that closes under a round trip is no connection, not a slow server', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await stage.control.run('hold', { tag: 'iq', xmlns: 'w:p', then: 'terminate' })
    await assert.rejects(daemon.do('probe', ACCOUNT), error => /** @type {any} */ (error).code !== 'timeout')
    await assert.rejects(daemon.do('probe', ACCOUNT), { code: 'not-started' })
    await assert.rejects(daemon.do('echo', ACCOUNT, { key: {} }), { code: 'bad-arguments' })
})

test('an echo comes back through decryption into the journal, under the id that was chosen', async () => {
    const { stage, daemon } = await shared()
    await stage.op('message', { chat: ANA, id: 'E1', text: 'known' })
    const { entry: { payload: { key } } } = await daemon.message('E1')
    for (const [id, fresh] of /** @type {[string, boolean][]} */ ([
        ['3EB0AAAAAAAAAAAAAAAAAA', false], ['3EB0BBBBBBBBBBBBBBBBBB', true]
    ])) {
        const from = daemon.frames.all.length
        assert.deepEqual(await daemon.do('echo', ACCOUNT, { key, id, fresh }), { request: id })
        const echoed = (/** @type {any} */ each) => each.payload?.requestId === id
        const { t } = await daemon.frames.until('the echo', frame => frame.t === 'commit' &&
            frame.entries?.some(echoed), from)
        assert.equal(t, 'commit')
        const { entry } = await daemon.entry('message', each => !each.payload?.requestId &&
            JSON.stringify(each.payload).includes(id))
        assert.match(entry.source, /^enc:/, 'the answer itself')
    }
})

test('an answer without the message is an echo, too', async () => {
    const { stage, daemon } = await shared()
    const id = '3EB0CCCCCCCCCCCCCCCCCC'
    await daemon.do('echo', ACCOUNT, { key: { remoteJid: CHAT, fromMe: false, id: 'NEVER' }, id })
    const { entry } = await daemon.entry('message', each => JSON.stringify(each.payload).includes(id))
    assert.equal(entry.payload.requestId, undefined)
    await stage.op('drained')
})

test('what is swallowed does not come, the connection answers, and it comes at the next login', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await stage.op('swallow')
    await stage.op('message', { chat: ANA, id: 'W1', text: 'swallowed' })
    assert.ok((await daemon.do('probe', ACCOUNT)).ms >= 0)
    assert.deepEqual(daemon.disk.entries('message').filter(({ payload }) => payload.key.id === 'W1'), [])
    assert.deepEqual((await daemon.do('ping')).stuck, {}, 'what never came is nothing that waits')
    await daemon.do('stop', ACCOUNT)
    await stage.opened(daemon)
    const { entry } = await daemon.message('W1')
    assert.equal(entry.origin, 'offline')
})

test('a stanza that came waits until it is committed, whether it is encrypted or not', async () => {
    const { stage, daemon } = await shared()
    await stage.op('drained')
    assert.deepEqual((await daemon.do('ping')).stuck, {})
    daemon.hold()
    const from = daemon.frames.all.length
    const isCommit = (/** @type {any} */ frame) => frame.t === 'commit'
    await stage.op('receipt', { from: ANA, ids: ['X'] })
    await daemon.frames.until('its commit', isCommit, from)
    await new Promise(resolve => setTimeout(resolve, 30))
    const { stuck: { [ACCOUNT]: first } } = await daemon.do('ping')
    assert.ok(first.for >= 20 && first.age >= first.for, JSON.stringify(first))
    await stage.op('message', { chat: ANA, id: 'S1', text: 'behind' })
    const { stuck: { [ACCOUNT]: second } } = await daemon.do('ping')
    assert.ok(second.age > first.age, 'the oldest counts')
    daemon.release()
    await daemon.message('S1')
    await stage.op('drained')
    assert.deepEqual((await daemon.do('ping')).stuck, {})
})

test('an engine that hangs while it decrypts keeps a message waiting, and what came after it', async () => {
    const { stage, daemon } = await shared()
    await stage.op('drained')
    daemon.hold() // reads of keys, too: the engine waits inside its queue
    await stage.op('message', { chat: ANA, id: 'H1', text: 'hangs' })
    await stage.op('message', { chat: '15550003333', id: 'H2', text: 'behind it' })
    await new Promise(resolve => setTimeout(resolve, 30))
    const { stuck: { [ACCOUNT]: stuck } } = await daemon.do('ping')
    assert.ok(stuck.for >= 20, JSON.stringify(stuck))
    assert.ok((await daemon.do('probe', ACCOUNT)).ms >= 0, 'the socket is well')
    daemon.release()
    await daemon.message('H2')
    await stage.op('drained')
    assert.deepEqual((await daemon.do('ping')).stuck, {})
})

test('a queue that moves is not stuck, one whose head stays is', () => {
    let now = 0
    const backlog = new Backlog(() => now)
    assert.equal(backlog.stuck, undefined)
    const done = [1, 2, 3].map(() => {
        now += 10
        return backlog.came()
    })
    now = 100
    assert.deepEqual(backlog.stuck, { for: 90, age: 90 })
    done[0]()
    now = 130
    assert.deepEqual(backlog.stuck, { for: 30, age: 110 }, 'the next one has been the next for 30 ms')
    done[2]()
    assert.deepEqual(backlog.stuck, { for: 30, age: 110 }, 'what passes it by does not move it')
    done[1]()
    done[1]()
    assert.equal(backlog.stuck, undefined)
    now = 500
    backlog.came()
    now = 501
    assert.deepEqual(backlog.stuck, { for: 1, age: 1 })
})
