/** What a stranger or an odd server may send: it costs no message, and no connection for ever. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import { Connection } from '../../fake_whatsapp/connection.js'
import { Delivery } from '../../fake_whatsapp/delivery.js'
import { toJson } from '../stanzas.js'
import { Daemon, Disk } from './daemon.js'
import { ACCOUNT, ANA, ME, sharedStage, Stage } from './stage.js'

const CHAT = `${ANA}@s.whatsapp.net`
const shared = sharedStage()

/**
 * Change what the server sends, until the test is over.
 * @param {import('node:test').TestContext} t @param {(node: any) => void} change
 */
function tamper(t, change) {
    const { send } = Connection.prototype
    Connection.prototype.send = function (/** @type {any} */ node) {
        change(node)
        return send.call(this, node)
    }
    t.after(() => { Connection.prototype.send = send })
}

test('an identity that nobody asked for costs no message', async t => {
    const { stage, daemon } = await shared()
    tamper(t, ({ tag, content }) => {
        if (tag !== 'iq' || content?.[0]?.tag !== 'usync') return
        const list = content[0].content.find((/** @type {any} */ child) => child.tag === 'list')
        for (const user of list.content) user.attrs.jid = user.attrs.jid.replace('1555', '15550')
    })
    await stage.op('message', { chat: '15550007777', id: 'PN1', text: 'kept', addressing: 'pn', alt: false })
    const { entry } = await daemon.message('PN1')
    assert.equal(entry.payload.message.conversation ?? entry.payload.message.extendedTextMessage.text, 'kept')
    await stage.op('drained')
})

test('the same ciphertext in two stanzas is two debts', async () => {
    const { stage, daemon } = await shared()
    for (const [id, from] of [['E1', '88000000002222@lid'], ['E2', '88000000003333@lid']]) {
        const content = [{ tag: 'enc', attrs: { v: '2', type: 'msg' }, content: { b: '' } }]
        const attrs = { from, id, t: '1795328371', type: 'text', addressing_mode: 'lid' }
        await stage.op('stanza', { node: { tag: 'message', attrs, content } })
    }
    await stage.op('drained')
    const debts = daemon.disk.entries('debt').filter(({ payload }) => ['E1', 'E2'].includes(payload.key.id))
    assert.deepEqual(debts.map(({ payload }) => payload.key.id), ['E1', 'E2'])
})

test('a ciphertext that was journaled is a debt when it comes in a stanza of another id', async t => {
    const { stage, daemon } = await shared()
    /** @type {any} */
    let twin
    tamper(t, node => {
        if (node.tag !== 'message' || node.attrs.id !== 'TWIN1') return
        twin = { ...node, attrs: { ...node.attrs, id: 'TWIN2' } }
    })
    await stage.op('message', { chat: ANA, id: 'TWIN1', text: 'once' })
    await daemon.message('TWIN1')
    await stage.op('stanza', { node: toJson(twin) })
    await daemon.entry('debt', each => each.payload.key.id === 'TWIN2')
    await stage.op('drained')
})

test('a stanza that is nested however deep is journaled, and the connection stays', async () => {
    const { stage, daemon } = await shared()
    /** @type {any} */
    let node = { tag: 'x', attrs: {} }
    for (let level = 0; level < 80; level++) node = { tag: 'x', attrs: {}, content: [node] }
    for (const [tag, id] of [['notification', 'DEEP1'], ['message', 'DEEP2']]) {
        const attrs = { from: CHAT, id, type: 'w:x', t: '1795328371' }
        await stage.op('stanza', { node: { tag, attrs, content: [node] } })
    }
    const { entry } = await daemon.entry('notification', each => each.payload?.id === 'DEEP1')
    assert.equal(JSON.parse(Buffer.from(entry.raw, 'base64').toString()).attrs.id, 'DEEP1')
    await daemon.entry('debt', each => each.payload?.key.id === 'DEEP2')
    await stage.op('drained')
    assert.equal((await daemon.do('ping')).accounts, 1)
})

test('a message too large for a frame is journaled by its bytes alone, and the connection stays', async () => {
    const { stage, daemon } = await shared()
    await stage.op('message', { chat: ANA, id: 'BIG', text: '\u0001'.repeat(5_500_000) })
    const { entry } = await daemon.entry('message', each => each.envelope?.id === 'BIG')
    assert.equal(entry.payload, null)
    assert.equal(entry.problem, 'too large')
    assert.ok(entry.raw.length > 5_500_000)
    await stage.op('drained')
    assert.equal((await daemon.do('ping')).accounts, 1)
})

test('keys of app state are on disk before their message is acknowledged, and survive a crash right then', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const names = (/** @type {any} */ frame) => frame.creds?.includes('"myAppStateKeyId":"AAAAAAEC"')
    daemon.keeps = frame => !frame.keys?.['app-state-sync-key'] && !names(frame)
    const keyData = { keyData: Buffer.alloc(32, 7).toString('base64'), timestamp: 1795328371 }
    const keys = [{ keyId: { keyId: Buffer.from([0, 0, 0, 0, 1, 2]).toString('base64') }, keyData }]
    const message = { protocolMessage: { type: 6, appStateSyncKeyShare: { keys } } }
    await stage.op('message', { chat: ME, from_me: true, id: 'SHARE', attrs: { category: 'peer' }, message })
    await daemon.frames.until('keys', frame => frame.keys?.['app-state-sync-key'])
    await new Promise(resolve => setTimeout(resolve, 150))
    assert.deepEqual(await stage.heard('SHARE'), [])
    const next = await stage.killed(daemon)
    next.keeps = frame => !names(frame)
    await next.start(ACCOUNT)
    await next.frames.until('the newest key', names)
    await new Promise(resolve => setTimeout(resolve, 150))
    assert.deepEqual(await stage.heard('SHARE'), [], 'creds first')
    const last = await stage.killed(next)
    await stage.opened(last)
    await stage.op('drained')
    assert.ok(last.disk.keys.has(`${ACCOUNT} app-state-sync-key AAAAAAEC`))
    assert.equal(JSON.parse(last.disk.creds[ACCOUNT]).myAppStateKeyId, 'AAAAAAEC')
})

test('a pairing code that holds nothing is passed over', async t => {
    const { daemon } = await shared()
    tamper(t, ({ tag, content }) => {
        if (tag !== 'iq' || content?.[0]?.tag !== 'pair-device') return
        const [first] = content[0].content.filter((/** @type {any} */ child) => child.tag === 'ref')
        delete first.content
    })
    await daemon.start('account_other')
    assert.ok((await daemon.state('account_other', 'qr')).qr)
    await daemon.do('stop', 'account_other')
})

test('a server whose batches are smaller than asked for is asked again', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await daemon.do('stop', ACCOUNT)
    await stage.events.until('closed', event => event.event === 'closed' && event.account === ME)
    await stage.op('messages', { chat: ANA, prefix: 'Q', text: 'q', count: 80 })
    const { batch } = Delivery.prototype
    Delivery.prototype.batch = function (/** @type {number} */ count) { return batch.call(this, Math.min(count, 60)) }
    t.after(() => { Delivery.prototype.batch = batch })
    const from = daemon.frames.all.length
    await daemon.start(ACCOUNT)
    assert.equal((await daemon.state(ACCOUNT, 'caught-up', from)).received, 80)
})

test('our own message is never filed under our own number', async () => {
    const { stage, daemon } = await shared()
    const attrs = { sender_pn: `${ME}@s.whatsapp.net`, peer_recipient_pn: '' }
    await stage.op('message', { chat: ANA, from_me: true, id: 'MINE', text: 'x', addressing: 'lid', alt: true, attrs })
    const { entry } = await daemon.message('MINE')
    assert.equal(entry.payload.key.fromMe, true)
    assert.match(entry.payload.key.remoteJid, /@lid$/)
    assert.equal(entry.payload.key.remoteJidAlt, undefined)
    await stage.op('drained')
    const mixedUp = [...daemon.disk.keys].filter(([key, value]) =>
        key.endsWith(`lid-mapping ${ME}`) && value.includes(entry.payload.key.remoteJid.split('@')[0]))
    assert.deepEqual(mixedUp, [])
})

test('a proxy that refuses the upgrade is no answer of WhatsApp, and ends the connection at once', async t => {
    const proxy = createServer()
    proxy.on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n'))
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    t.after(() => proxy.close())
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address())
    const daemon = new Daemon(new Disk(), `ws://127.0.0.1:${port}/ws/chat`)
    t.after(() => daemon.end())
    await daemon.start(ACCOUNT)
    assert.equal((await daemon.state(ACCOUNT, 'closed')).code, 503)
})

test('a command that waits is answered when its account is stopped or halted', async t => {
    const stage = await Stage.set(t)
    const daemon = stage.daemon()
    daemon.keeps = () => false
    const started = () => assert.rejects(daemon.start(ACCOUNT), { code: 'not-open' })
    const first = started()
    await daemon.frames.until('commit', frame => frame.t === 'commit')
    await daemon.do('stop', ACCOUNT)
    await first
    const from = daemon.frames.all.length
    const second = started()
    await daemon.frames.until('commit', frame => frame.t === 'commit', from)
    daemon.send({ t: 'halt', account: ACCOUNT, reason: 'store' })
    await second
    daemon.keeps = () => true
    await daemon.start(ACCOUNT)
    assert.equal((await daemon.do('ping')).accounts, 1)
})

test('an id that was used for another text is refused, and for the same text sent again', async () => {
    const { stage, daemon } = await shared()
    const what = { chat: CHAT, text: 'one', id: 'USED' }
    await daemon.do('send-text', ACCOUNT, what)
    await assert.rejects(daemon.do('send-text', ACCOUNT, { ...what, text: 'two' }), { code: 'refused' })
    assert.equal((await daemon.do('send-text', ACCOUNT, what)).id, 'USED')
    await stage.op('drained')
})
