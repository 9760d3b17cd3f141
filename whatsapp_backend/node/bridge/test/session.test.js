import assert from 'node:assert/strict'
import test from 'node:test'
import { toCompanion } from '../../fake_whatsapp/phone.js'
import { ACCOUNT, ANA, ME, sharedStage, Stage } from './stage.js'

const OTHER = 'account_demo_0b'
const CHAT = `${ANA}@s.whatsapp.net`
const shared = sharedStage()

test('a connection closes with the code of its reason', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const reasons = /** @type {[any, number][]} */ ([
        [{ reason: 'replaced' }, 440], [{ code: 503 }, 503], [{ failure: 405 }, 405], [{ reason: 'removed' }, 401]
    ])
    for (const [how, code] of reasons) {
        const from = daemon.frames.all.length
        await stage.op('disconnect', how)
        assert.equal((await daemon.state(ACCOUNT, 'closed', from)).code, code)
        await assert.rejects(daemon.do('send-text', ACCOUNT, { chat: CHAT, text: 'x' }), { code: 'not-started' })
        if (code !== 401) await stage.opened(daemon)
    }
})

test('a version that WhatsApp refuses is replaced by the one in use, for all accounts', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await stage.control.run('outdate', { revision: 2_000_000_001 })
    const from = daemon.frames.all.length
    await stage.op('terminate')
    await daemon.state(ACCOUNT, 'closed', from)
    const refused = daemon.frames.all.length
    await daemon.start(ACCOUNT)
    assert.equal((await daemon.state(ACCOUNT, 'closed', refused)).code, 405)
    const again = daemon.frames.all.length
    await daemon.start(ACCOUNT)
    await daemon.state(ACCOUNT, 'open', again)
})

test('a server that cannot be reached closes the connection, and the account can be started again', async t => {
    const stage = await Stage.set(t)
    const daemon = stage.daemon()
    await stage.server.close()
    for (let round = 0; round < 2; round++) {
        const from = daemon.frames.all.length
        await daemon.start(ACCOUNT)
        assert.equal(typeof (await daemon.state(ACCOUNT, 'closed', from)).code, 'number')
    }
})

test('rubbish from the server costs the socket, and no message', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const from = daemon.frames.all.length
    await stage.op('message', { chat: ANA, id: 'K1', text: 'before' })
    await stage.op('rubbish')
    assert.equal((await daemon.state(ACCOUNT, 'closed', from)).code, 500)
    await stage.op('message', { chat: ANA, id: 'K2', text: 'after' })
    await stage.opened(daemon)
    await daemon.message('K1')
    await daemon.message('K2')
    await stage.op('drained')
})

test('two accounts live side by side: what is halted is one of them', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await daemon.start(OTHER)
    const isOther = (/** @type {any} */ frame) => frame.account === OTHER
    const { qr } = await daemon.state(OTHER, 'qr')
    await stage.control.run('scan', { qr, phone: '15550003333' })
    await daemon.state(OTHER, 'closed')
    await daemon.start(OTHER)
    await daemon.state(OTHER, 'caught-up')
    daemon.send({ t: 'halt', account: ACCOUNT, reason: 'stopped' })
    await stage.control.run('message', { account: '15550003333', chat: ANA, id: 'TWO', text: 'for two' })
    const { frame } = await daemon.message('TWO')
    assert.ok(isOther(frame))
    assert.equal((await daemon.do('ping')).accounts, 1)
})

test('the keys of app state start its first synchronisation, once', async () => {
    const { stage, daemon } = await shared()
    const [phone] = stage.server.world.person(ME).devices()
    const keyData = { keyData: Buffer.alloc(32, 7), fingerprint: { rawId: 1, currentIndex: 0 }, timestamp: 1 }
    const keys = [{ keyId: { keyId: Buffer.from([0, 0, 0, 0, 1, 2]) }, keyData }]
    await toCompanion(phone, { type: 6, appStateSyncKeyShare: { keys } })
    const synced = (/** @type {any} */ frame) => frame.creds?.includes('"accountSyncCounter":1')
    await daemon.frames.until('synchronisation', synced)
    await toCompanion(phone, { type: 6, appStateSyncKeyShare: { keys } })
    await stage.op('drained')
    assert.ok(!daemon.frames.all.some(frame => synced(frame) && frame.creds.includes('"accountSyncCounter":2')))
    assert.ok([...daemon.disk.keys.keys()].some(key => key.includes('app-state-sync-key')))
})

test('what a recipient could not decrypt is found in the journal after a restart, and sent again', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const { id } = await daemon.do('send-text', ACCOUNT, { chat: CHAT, text: 'again' })
    await stage.events.until('sent', event => event.event === 'sent' && event.id === id)
    const next = await stage.killed(daemon)
    await stage.opened(next)
    const before = stage.events.all.length
    const content = [
        { tag: 'retry', attrs: { count: '1', id, t: '1795328371', v: '1' } },
        { tag: 'registration', attrs: {}, content: { b: 'AAAAAQ==' } }
    ]
    const attrs = { id, from: CHAT, type: 'retry', t: '1795328371' }
    await stage.op('stanza', { node: { tag: 'receipt', attrs, content } })
    await next.frames.until('find', frame => frame.t === 'find' && frame.source === `sent:${CHAT}:${id}`)
    await stage.events.until('sent again', event => event.event === 'sent' && event.id === id, before)
})

test('a call and the missed call it becomes are journaled', async () => {
    const { stage, daemon } = await shared()
    const attrs = { from: CHAT, id: 'CALL1', t: '1795328371' }
    const inner = { 'call-id': 'C1', 'call-creator': CHAT, from: CHAT }
    const call = (/** @type {string} */ tag, /** @type {any} */ more = {}) =>
        stage.op('stanza', { node: { tag: 'call', attrs, content: [{ tag, attrs: { ...inner, ...more } }] } })
    await call('offer')
    await call('terminate', { reason: 'timeout' })
    const { entry } = await daemon.entry('call')
    assert.deepEqual(entry.payload, { from: CHAT, chat: CHAT, id: 'C1', time: 1795328371, what: 'offer' })
    const missed = (await daemon.entry('message', each => each.origin === 'derived')).entry
    assert.match(missed.source, /^ev:/)
    assert.equal(missed.payload.key.id, 'C1')
    assert.equal(typeof missed.payload.messageStubType, 'number')
})

test('bot messages are debts, and a padded entry decodes to what it was', async () => {
    const { stage, daemon } = await shared()
    const content = [{ tag: 'enc', attrs: { type: 'msmsg', v: '2' }, content: { b: 'AQID' } }]
    const attrs = { from: CHAT, id: 'BOT', t: '1795328371', type: 'text' }
    await stage.op('stanza', { node: { tag: 'message', attrs, content } })
    const debt = (await daemon.entry('debt', each => each.payload.key.id === 'BOT')).entry
    assert.equal(debt.payload.reason, 'unreadable')
    await stage.op('message', { chat: ANA, id: 'D1', text: 'decode me' })
    const { entry } = await daemon.message('D1')
    const me = { id: `${ME}:1@s.whatsapp.net` }
    for (const { form, raw, envelope, payload } of [entry, debt]) {
        assert.deepEqual((await daemon.do('decode', undefined, { form, raw, envelope, me })).payload, payload)
    }
    await assert.rejects(daemon.do('decode', undefined, { form: 'web', raw: '/////w==', me }), { code: 'refused' })
})

test('a stanza that the engine refuses is a debt before it is refused', async () => {
    const { stage, daemon } = await shared()
    const content = [{ tag: 'enc', attrs: { type: 'msg', v: '2' }, content: { b: 'AQID' } }]
    const attrs = { from: CHAT, recipient: '15550009999@s.whatsapp.net', id: 'NO', t: '1795328371', type: 'text' }
    await stage.op('stanza', { node: { tag: 'message', attrs, content } })
    const { entry } = await daemon.entry('debt', each => each.payload.key.id === 'NO')
    assert.equal(entry.payload.reason, 'unreadable')
    await stage.op('drained')
})
