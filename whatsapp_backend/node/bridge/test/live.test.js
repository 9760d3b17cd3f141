import assert from 'node:assert/strict'
import test from 'node:test'
import { ACCOUNT, ANA, ME, sharedStage, Stage } from './stage.js'

const shared = sharedStage()

test('an account is paired by its code, and its credentials are on disk before WhatsApp hears of it', async t => {
    const stage = await Stage.set(t)
    const daemon = stage.daemon()
    const hello = await daemon.frames.until('hello', frame => frame.t === 'hello')
    assert.equal(hello.protocol, 1)
    assert.equal(hello.engine, 'baileys 7.0.0-rc14')
    assert.equal(daemon.frames.all[0], hello)
    await daemon.start(ACCOUNT)
    const { qr } = await daemon.state(ACCOUNT, 'qr')
    daemon.hold()
    await stage.op('scan', { qr, phone: ME })
    await daemon.frames.until('credentials with me', frame => frame.t === 'commit' && frame.creds?.includes(ME))
    const told = () => stage.events.all.some(event => event.event === 'paired')
    assert.equal(told(), false)
    daemon.release()
    await stage.events.until('paired', event => event.event === 'paired')
    await daemon.state(ACCOUNT, 'paired')
    const closed = await daemon.state(ACCOUNT, 'closed')
    assert.equal(closed.code, 515)
    await stage.opened(daemon)
    const open = await daemon.state(ACCOUNT, 'open')
    assert.equal(open.me.id, `${ME}:1@s.whatsapp.net`)
    assert.deepEqual(daemon.rubbish, [])
})

test('a live message is in the same commit as its ratchet, and its receipt waits for the answer', async () => {
    const { stage, daemon } = await shared()
    daemon.hold()
    await stage.op('message', { chat: ANA, id: 'M1', text: 'hi there' })
    // Reads before the commit are answered; the commit is not.
    const pump = setInterval(() => {
        if (committed()) return
        daemon.release()
        daemon.hold()
    }, 5)
    const committed = () => daemon.frames.all.some(frame => frame.t === 'commit' &&
        frame.entries?.some((/** @type {any} */ entry) => entry.payload?.key?.id === 'M1'))
    const { frame, entry } = await daemon.message('M1')
    clearInterval(pump)
    assert.ok(frame.keys.session, 'the ratchet is in the commit')
    assert.match(entry.source, /^enc:[0-9a-f]{64}$/)
    assert.equal(entry.origin, 'live')
    assert.equal(entry.form, 'padded')
    assert.equal(entry.payload.message.conversation ?? entry.payload.message.extendedTextMessage.text, 'hi there')
    assert.equal(entry.payload.key.fromMe, false)
    assert.equal(typeof entry.payload.messageTimestamp, 'number')
    await new Promise(resolve => setTimeout(resolve, 150))
    assert.deepEqual(await stage.heard('M1'), [])
    daemon.release()
    await stage.op('drained')
    const [receipt] = await stage.heard('M1')
    assert.equal(receipt.event, 'receipt')
})

test('a commit that is never answered lets no receipt out, and a halt ends the socket for good', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    daemon.keeps = frame => !frame.entries?.some((/** @type {any} */ entry) => entry.payload?.key?.id === 'M2')
    await stage.op('message', { chat: ANA, id: 'M2', text: 'kept later' })
    await daemon.message('M2')
    daemon.send({ t: 'halt', account: ACCOUNT, reason: 'store' })
    await stage.events.until('closed', event => event.event === 'closed' && event.account === ME)
    assert.deepEqual(await stage.heard('M2'), [])
    assert.equal((await stage.op('queued')).count, 1)
    const after = daemon.frames.all.length
    daemon.keeps = () => true
    await stage.opened(daemon)
    const again = daemon.frames.all.slice(after).filter(frame => frame.entries?.some((/** @type {any} */ entry) =>
        entry.payload?.key?.id === 'M2'))
    assert.equal(again.length, 1)
    assert.equal(again[0].entries[0].origin, 'offline')
    await stage.op('drained')
    assert.equal((await stage.heard('M2'))[0].event, 'receipt')
})

test('a message that was committed before a crash is found by its hash, and its receipt repeated', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const { hold } = await stage.op('hold', { tag: 'receipt', id: 'M3', then: 'lose' })
    await stage.op('message', { chat: ANA, id: 'M3', text: 'once' })
    await stage.events.until('held', event => event.event === 'held' && event.id === 'M3')
    const next = await stage.killed(daemon)
    await stage.op('release', { hold })
    await stage.opened(next)
    await stage.op('drained')
    assert.ok(next.frames.all.some(frame => frame.t === 'find' && frame.source.startsWith('enc:')))
    assert.equal(next.disk.entries('debt').length, 0)
    const mine = next.disk.entries('message').filter(entry => entry.payload.key.id === 'M3')
    assert.equal(mine.length, 1)
    const heard = await stage.heard('M3')
    assert.equal(heard.at(-1).event, 'receipt', JSON.stringify(heard))
})

test('what cannot be decrypted becomes a debt before WhatsApp is asked to send it again', async () => {
    const { stage, daemon } = await shared()
    await stage.op('message', { chat: ANA, id: 'M4', text: 'garbled', corrupt: true })
    const { entry } = await daemon.entry('debt', each => each.payload.key.id === 'M4')
    assert.equal(entry.payload.reason, 'undecryptable')
    assert.equal(entry.form, 'stanza')
    assert.equal(JSON.parse(Buffer.from(entry.raw, 'base64').toString()).tag, 'message')
    await stage.op('drained')
})

test('plaintext, unavailable messages, receipts and notifications are journaled as what they are', async () => {
    const { stage, daemon } = await shared()
    await stage.op('message', { chat: ANA, id: 'P1', text: 'plain', encryption: 'plaintext' })
    const plain = (await daemon.message('P1')).entry
    assert.match(plain.source, /^plain:[0-9a-f]{64}$/)
    assert.equal(plain.form, 'message')
    await stage.op('message', { chat: ANA, id: 'U1', text: 'x', encryption: 'none', unavailable: 'view_once' })
    const debt = (await daemon.entry('debt', entry => entry.payload.key.id === 'U1')).entry
    assert.equal(debt.payload.reason, 'unavailable')
    assert.equal(debt.payload.key.isViewOnce, true)
    await stage.op('receipt', { from: ANA, ids: ['S1', 'S2'], type: 'read' })
    const receipt = (await daemon.entry('receipt')).entry
    assert.deepEqual(receipt.payload.ids, ['S1', 'S2'])
    assert.equal(receipt.payload.type, 'read')
    assert.equal(receipt.payload.chat, `${ANA}@s.whatsapp.net`)
    const content = [{ tag: 'set', attrs: { jid: `${ANA}@s.whatsapp.net`, id: '1' } }]
    const attrs = { from: `${ANA}@s.whatsapp.net`, type: 'picture', id: 'N1', t: '1795328371' }
    await stage.op('stanza', { node: { tag: 'notification', attrs, content } })
    const notification = (await daemon.entry('notification')).entry
    assert.deepEqual(notification.payload, { type: 'picture', from: attrs.from, id: 'N1', time: 1795328371 })
    const update = (await daemon.entry('update', entry => entry.payload.event === 'contacts.update')).entry
    assert.equal(update.payload.data[0].imgUrl, 'changed')
    await stage.op('drained')
})

test('what is not decrypted is not acknowledged before its commit is answered', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    daemon.keeps = frame => !frame.entries?.length
    await stage.op('receipt', { from: ANA, ids: ['HELD1'] })
    await stage.op('message', { chat: ANA, id: 'HELD2', text: 'plain', encryption: 'plaintext' })
    await daemon.entry('receipt')
    const { frame } = await daemon.message('HELD2')
    await new Promise(resolve => setTimeout(resolve, 150))
    assert.deepEqual([...await stage.heard('HELD1'), ...await stage.heard('HELD2')], [])
    assert.equal((await stage.op('queued')).count, 2)
    const held = daemon.frames.all.filter(each => each.t === 'commit' && each.entries?.length)
    for (const { account, id } of held) daemon.send({ t: 'committed', account, id })
    assert.ok(held.includes(frame))
    await stage.op('drained')
})

test('group messages are journaled with the sender key that opened them, and again after a crash', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const group = '120363000000000001@g.us'
    await stage.op('group', { id: group, members: [ME, ANA] })
    await stage.op('message', { chat: group, from: ANA, id: 'G1', text: 'first', encryption: 'sender-key' })
    const first = (await daemon.entry('message', entry => entry.payload.message?.conversation === 'first' ||
        entry.payload.message?.extendedTextMessage?.text === 'first'))
    assert.ok(first.frame.keys['sender-key'], 'the group ratchet is in the commit')
    assert.equal(first.entry.payload.key.remoteJid, group)
    assert.ok(first.entry.payload.key.participant)
    await stage.op('drained')
    const { hold } = await stage.op('hold', { tag: 'receipt', id: 'G2', then: 'lose' })
    await stage.op('message', { chat: group, from: ANA, id: 'G2', text: 'second', encryption: 'sender-key' })
    await stage.events.until('held', event => event.event === 'held' && event.id === 'G2')
    const next = await stage.killed(daemon)
    await stage.op('release', { hold })
    await stage.opened(next)
    await stage.op('drained')
    assert.equal(next.disk.entries('debt').length, 0)
    await stage.op('message', { chat: group, from: ANA, id: 'G3', text: 'third', encryption: 'sender-key' })
    await next.message('G3')
    await stage.op('drained')
})

test('a message that never came is asked of the phone, and its answer is journaled with what it answers', async () => {
    const { stage, daemon } = await shared()
    await stage.op('message', { chat: ANA, id: 'A1', text: 'only the phone has it', encryption: 'none' })
    const debt = (await daemon.entry('debt', each => each.payload.key.id === 'A1')).entry
    assert.equal(debt.payload.reason, 'unavailable')
    const isAnswer = (/** @type {any} */ each) => each.origin === 'resend' && each.payload.key.id === 'A1'
    const { frame, entry } = await daemon.entry('message', isAnswer)
    assert.equal(entry.form, 'web')
    assert.ok(entry.payload.requestId)
    assert.ok(frame.keys?.session, 'in the commit of the ratchet')
})

test('where the preview is left out, the end marker says how much had waited', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await stage.control.run('fault', { stage: 'offline', action: 'withhold' })
    const from = daemon.frames.all.length
    await stage.op('terminate')
    await daemon.state(ACCOUNT, 'closed', from)
    await daemon.start(ACCOUNT)
    await daemon.state(ACCOUNT, 'open', from)
    await stage.op('marker')
    assert.equal((await daemon.state(ACCOUNT, 'offline', from)).announced, 0)
    assert.equal((await daemon.state(ACCOUNT, 'caught-up', from)).received, 0)
})

test('an offline queue of more than one batch is asked for until it is drained', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await daemon.do('stop', ACCOUNT)
    await stage.events.until('closed', event => event.event === 'closed' && event.account === ME)
    await stage.op('messages', { chat: ANA, count: 250, prefix: 'Q' })
    const from = daemon.frames.all.length
    await daemon.start(ACCOUNT)
    assert.equal((await daemon.state(ACCOUNT, 'offline', from)).announced, 250)
    assert.equal((await daemon.state(ACCOUNT, 'caught-up', from)).received, 250)
    const ids = new Set(daemon.disk.entries('message').map(entry => entry.payload.key.id))
    for (let index = 0; index < 250; index++) assert.ok(ids.has(`Q-${index}`), `Q-${index}`)
    assert.ok(daemon.disk.entries('message').filter(entry => entry.payload.key.id.startsWith('Q-'))
        .every(entry => entry.origin === 'offline'))
    assert.ok(stage.events.all.filter(event => event.event === 'batch-request').length >= 3)
    await stage.op('drained')
})

test('a text is in the journal before it leaves, and a refused one is told of', async () => {
    const { stage, daemon } = await shared()
    const { id, time } = await daemon.do('send-text', ACCOUNT, { chat: `${ANA}@s.whatsapp.net`, text: 'hello Ana' })
    assert.equal(typeof time, 'number')
    const { entry } = await daemon.message(id)
    assert.equal(entry.source, `sent:${ANA}@s.whatsapp.net:${id}`)
    assert.equal(entry.origin, 'sent')
    assert.equal(entry.payload.status, 1)
    assert.equal(entry.payload.message.extendedTextMessage.text, 'hello Ana')
    await stage.events.until('sent', event => event.event === 'sent' && event.id === id)
    assert.equal(daemon.disk.entries('message').filter(each => each.payload.key.id === id).length, 1)
    await assert.rejects(daemon.do('send-text', ACCOUNT, { chat: 'nobody', text: 'x' }), { code: 'bad-arguments' })
})

test('commands say plainly what is wrong', async t => {
    const stage = await Stage.set(t)
    const daemon = stage.daemon()
    await assert.rejects(daemon.do('stop', ACCOUNT), { code: 'not-started' })
    await assert.rejects(daemon.do('dance', ACCOUNT), { code: 'unknown-command' })
    await assert.rejects(daemon.do('start', ACCOUNT, { creds: 'rubbish', fullHistory: true, open: [] }),
        { code: 'bad-arguments' })
    await daemon.start(ACCOUNT)
    await assert.rejects(daemon.start(ACCOUNT), { code: 'already-started' })
    await assert.rejects(daemon.do('send-text', ACCOUNT, { chat: 'a@b', text: 'x' }), { code: 'not-open' })
    const pong = await daemon.do('ping')
    assert.equal(pong.accounts, 1)
    assert.ok(pong.rss > 0)
    assert.deepEqual(pong.heard, {}, 'no connection is open')
    await daemon.do('stop', ACCOUNT)
    assert.equal((await daemon.do('ping')).accounts, 0)
})

test('a ping tells when each open connection last heard something', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const heard = async () => (await daemon.do('ping')).heard[ACCOUNT]
    const first = await heard()
    assert.ok(Math.abs(Date.now() - first) < 60_000)
    await new Promise(resolve => setTimeout(resolve, 20))
    await stage.op('message', { chat: ANA, id: 'HEARD', text: 'x' })
    await daemon.message('HEARD')
    assert.ok(await heard() > first)
    const from = daemon.frames.all.length
    await stage.op('disconnect', { code: 503 })
    await daemon.state(ACCOUNT, 'closed', from)
    assert.deepEqual((await daemon.do('ping')).heard, {})
})

test('a ping tells what is not answered yet, and since when', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    const unanswered = async () => (await daemon.do('ping')).unanswered[ACCOUNT]
    const allAnswered = async () => {
        while ((await unanswered()).count) await new Promise(resolve => setImmediate(resolve))
    }
    await stage.op('message', { chat: ANA, id: 'ANSWERED', text: 'x' })
    await daemon.message('ANSWERED')
    await allAnswered()
    assert.equal((await unanswered()).since, null)
    const before = Date.now()
    daemon.keeps = frame => !frame.entries // the disk is full: a commit is never answered
    await stage.op('message', { chat: ANA, id: 'UNANSWERED', text: 'x' })
    await daemon.message('UNANSWERED')
    const { count, since } = await unanswered()
    assert.equal(count, 1)
    assert.ok(since >= before)
})

test('logging out unlinks the device', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    await daemon.do('logout', ACCOUNT)
    await stage.events.until('unlinked', event => event.event === 'unlinked')
    assert.equal((await daemon.state(ACCOUNT, 'closed', daemon.frames.all.length - 3)).code, 401)
})

test('the bridge exits when its input closes, and rubbish costs one account its socket', async t => {
    const stage = await Stage.set(t)
    const daemon = await stage.paired()
    daemon.send('this is not JSON\n')
    daemon.send(`${'x'.repeat(1100_000)}\n`)
    const errors = () => daemon.frames.all.filter(frame => frame.event === 'protocol-error')
    const codes = () => errors().map(frame => frame.fields.error)
    await daemon.frames.until('too-long', () => codes().includes('too-long'))
    assert.deepEqual(codes(), ['not-json', 'too-long'])
    assert.equal((await daemon.do('ping')).accounts, 1)
    daemon.send({ t: 'committed', account: ACCOUNT, id: 7 })
    const closed = await daemon.state(ACCOUNT, 'closed', daemon.frames.all.length - 1)
    assert.equal(closed.code, 500)
    assert.equal((await daemon.do('ping')).accounts, 0)
    daemon.child.stdin.end()
    assert.deepEqual(await daemon.exited, [0, null])
    assert.equal(daemon.stderr, '')
    assert.deepEqual(daemon.rubbish, [])
})
