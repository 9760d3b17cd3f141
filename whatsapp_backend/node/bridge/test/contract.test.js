/**
 * What the bridge rests on inside Baileys, undocumented as it is. Each test is named after what breaks: run them before
 * an upgrade, and read the file the failing name points to.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import test, { after } from 'node:test'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { addTransactionCapability, WA_CERT_DETAILS } from 'baileys'
import { signalRepositoryMaker, Tickets } from '../decrypt.js'
import * as engine from '../engine.js'
import { plaintextEntries } from '../entries.js'
import { messagePayload } from '../messages.js'
import { requestHistory } from '../ondemand.js'
import { requestResend } from '../resend.js'
import { children, classify } from '../stanzas.js'
import { Probe } from './engine_probe.js'
import { ANA, Stage } from './stage.js'

const { SILENT } = engine
const require = createRequire(import.meta.url)
const NODE_FOLDER = fileURLToPath(new URL('../..', import.meta.url))
const ANA_JID = `${ANA}@s.whatsapp.net`
const FOREVER = new Promise(() => {})
const moment = () => new Promise(resolve => setTimeout(resolve, 150))

// Baileys leaves timers of up to a minute behind.
after(() => void setTimeout(() => process.exit(), 500).unref())

/** @param {string} path */
const source = path => readFile(require.resolve(`baileys/${path}`), 'utf8')

/** A key store with transactions over a raw store that only counts. */
function counted() {
    /** @type {any[]} */
    const sets = []
    const raw = { get: async () => ({}), set: async (/** @type {any} */ data) => void sets.push(data) }
    const options = { maxCommitRetries: 1, delayBetweenTriesMs: 0 }
    const keys = addTransactionCapability(/** @type {any} */ (raw), SILENT, options)
    return { keys: /** @type {any} */ (keys), sets, raw }
}

test('engine.js: everything that the bridge imports of Baileys is there', () => {
    for (const [name, value] of Object.entries(engine)) assert.notEqual(value, undefined, name)
    assert.equal(engine.ENGINE, 'baileys 7.0.0-rc14')
    assert.equal(typeof engine.makeLibSignalRepository, 'function')
    assert.match(String(engine.DEFAULT_WEB_URL), /^wss:/)
})

test('decrypt.js: a transaction hands all that was set in it, our own type too, to one set', async () => {
    const { keys, sets } = counted()
    await keys.transaction(async () => {
        await keys.set({ session: { a: 1 } })
        await keys.transaction(() => keys.set({ 'identity-key': { a: 2 } }), 'same')
        await keys.set({ 'wa-entry': { 'enc:1': { kind: 'message' } } })
    }, 'same')
    assert.deepEqual(sets, [
        { session: { a: 1 }, 'identity-key': { a: 2 }, 'wa-entry': { 'enc:1': { kind: 'message' } } }
    ])
})

test('decrypt.js: a transaction that throws writes nothing', async () => {
    const { keys, sets } = counted()
    const work = async () => {
        await keys.set({ session: { a: 1 } })
        throw new Error('no')
    }
    await assert.rejects(keys.transaction(work, 'k'))
    assert.deepEqual(sets, [])
})

test('link.js: a transaction waits for as long as its set is not answered', async () => {
    const { keys, raw } = counted()
    raw.set = () => /** @type {any} */ (FOREVER)
    let over = false
    void keys.transaction(() => keys.set({ session: { a: 1 } }), 'k').finally(() => { over = true })
    await moment()
    assert.equal(over, false)
})

test('decrypt.js: the repository decrypts inside a transaction whose key is the jid or the group', async () => {
    /** @type {string[]} */
    const used = []
    const keys = {
        get: async () => ({}), set: async () => {}, isInTransaction: () => false,
        transaction: async (/** @type {() => any} */ _work, /** @type {string} */ key) => { used.push(key) }
    }
    const auth = { creds: engine.initAuthCreds(), keys }
    const repository = engine.makeLibSignalRepository(/** @type {any} */ (auth), SILENT, async () => [])
    await repository.decryptMessage({ jid: '88@lid', type: 'msg', ciphertext: Buffer.from([3]) })
    await repository.decryptGroupMessage({ group: '1@g.us', authorJid: ANA_JID, msg: Buffer.from([3]) })
    assert.deepEqual(used, ['88@lid', '1@g.us'])
    for (const name of ['lidMapping', 'migrateSession', 'jidToSignalProtocolAddress', 'validateSession', 'close']) {
        assert.ok(name in repository, name)
    }
})

test('decrypt.js: a failed look-up of an identity does not reach the engine', async () => {
    const make = signalRepositoryMaker({
        tickets: new Tickets(), link: /** @type {any} */ ({}), me: () => undefined, onNotice: () => {},
        onAppStateKey: () => {}
    })
    const { keys } = counted()
    const busy = async () => { throw new Error('rate-overlimit') }
    const repository = make({ creds: engine.initAuthCreds(), keys }, SILENT, busy)
    assert.equal(await repository.lidMapping.getLIDForPN(ANA_JID), null)
})

test('fake server: the certificate root is a mutable export', () => {
    assert.equal(Object.isFrozen(WA_CERT_DETAILS), false)
    assert.equal(Object.getOwnPropertyDescriptor(WA_CERT_DETAILS, 'PUBLIC_KEY')?.writable, true)
})

test('keys.js: nothing but promises runs between the commit of an app-state version and its events', async () => {
    const chats = await source('lib/Socket/chats.js')
    const between = /'resync-app-state'\);([\s\S]*?)onMutation\(globalMutationMap/.exec(chats)?.[1]
    assert.ok(between)
    assert.doesNotMatch(between, /await|setTimeout|setImmediate|then\(/)
    assert.match(chats, /'app-state-sync-version': \{ \[name\]: newState \}/)
})

test('console.js: libsignal prints keys through the console, and only there', async () => {
    const script = `
        const { SessionRecord } = (await import('libsignal')).default
        const record = new SessionRecord()
        record.closeSession({ indexInfo: { closed: -1 }, secret: 'PRIVATE' })
        process.stderr.write('done')`
    const run = (/** @type {string} */ first) => promisify(execFile)(process.execPath,
        ['--input-type=module', '-e', `${first}${script}`], { cwd: NODE_FOLDER })
    const loud = await run('')
    assert.match(loud.stdout, /PRIVATE/, 'if this fails, the noise is gone: good news')
    const silent = await run("await import('./bridge/console.js');")
    assert.equal(silent.stdout, '')
    assert.equal(silent.stderr, 'done')
})

test('decrypt.js: the ciphertext that is decrypted is the very object of the stanza', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    /** @type {Uint8Array[]} */
    const seen = []
    probe.sock.ws.prependListener('CB:message', (/** @type {any} */ node) => seen.push(...classify(node).ciphertexts))
    await stage.op('message', { chat: ANA, id: 'C1', text: 'x' })
    const ciphertext = await probe.decrypted.until('ciphertext', each => each)
    assert.equal(seen.length, 1)
    assert.equal(ciphertext, seen[0])
})

test('decrypt.js: the receipt leaves only after the set of its transaction, and the next message waits', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    await stage.op('message', { chat: ANA, id: 'R0', text: 'first contact' })
    await stage.op('drained')
    let letGo = () => {}
    const gate = new Promise(resolve => { letGo = () => resolve(undefined) })
    const before = probe.decrypted.all.length
    probe.beforeSet = async data => { if (data.session) await gate }
    await stage.op('message', { chat: ANA, id: 'R1', text: 'held' })
    await stage.op('message', { chat: ANA, id: 'R2', text: 'behind it' })
    await probe.sets.until('session', data => data.session, probe.sets.all.length - 1)
    await moment()
    assert.deepEqual(await stage.heard('R1'), [])
    assert.equal(probe.decrypted.all.length, before + 1, 'messageMutex is serial')
    letGo()
    await stage.op('drained')
    assert.equal((await stage.heard('R1'))[0].event, 'receipt')
})

test('gate.js: what the socket receives goes through ws.emit, once a stanza, and no further without it', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    const { ws } = probe.sock
    /** @type {string[]} */
    const caught = []
    const emit = ws.emit.bind(ws)
    const gated = ['CB:message', 'CB:receipt', 'CB:notification', 'CB:call']
    ws.emit = (/** @type {any} */ event, /** @type {any[]} */ ...args) => {
        if (!gated.includes(event)) return emit(event, ...args)
        caught.push(`${event} ${args[0].attrs.id}`)
        return true
    }
    await stage.op('message', { chat: ANA, id: 'W1', text: 'x' })
    await stage.op('receipt', { from: ANA, ids: ['W2'] })
    await stage.op('stanza', { node: { tag: 'notification', attrs: { id: 'W3', from: ANA_JID, type: 'picture' } } })
    await moment()
    assert.deepEqual(caught, ['CB:message W1', 'CB:receipt W2', 'CB:notification W3'])
    assert.equal((await stage.op('queued')).count, 3)
    assert.equal(probe.decrypted.all.length, 0)
})

test('outgoing.js: every byte to WhatsApp goes through ws.socket.send', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    const { socket } = /** @type {any} */ (probe.sock.ws)
    let swallowed = 0
    socket.send = () => { swallowed += 1 }
    void probe.sock.sendNode({ tag: 'receipt', attrs: { id: 'X1', to: ANA_JID } }).catch(() => {})
    await stage.op('message', { chat: ANA, id: 'X2', text: 'x' })
    await moment()
    assert.ok(swallowed >= 2)
    assert.deepEqual([...await stage.heard('X1'), ...await stage.heard('X2')], [])
})

test('tap.js: ev.emit is called before the buffer, ev.on hears after it', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    /** @type {string[]} */
    const heard = []
    probe.sock.ev.on('messages.upsert', ({ messages }) => heard.push(...messages.map(each => String(each.key.id))))
    probe.sock.ev.buffer()
    await stage.op('message', { chat: ANA, id: 'B1', text: 'x' })
    await probe.until('messages.upsert', data => data.messages[0].key.id === 'B1')
    assert.deepEqual(heard, [])
})

test('creds.js: credentials are changed in place, at once, buffer or not', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    assert.equal(probe.sock.authState.creds, probe.creds)
    probe.sock.ev.buffer()
    probe.sock.ev.emit('creds.update', { lastPropHash: 'now' })
    assert.equal(probe.creds.lastPropHash, 'now')
})

test('history.js: without shouldSyncHistoryMessage a notice is receipted and not downloaded', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    const { notices } = await stage.op('history', { conversations: 1, messages: 3, as: 'blob' })
    await stage.op('drained')
    await moment()
    const types = (await stage.heard(notices[0])).map((/** @type {any} */ each) => each.type)
    assert.deepEqual(types, ['peer_msg', 'hist_sync'])
    const events = probe.emitted.all.map(each => each.event)
    assert.ok(!events.includes('messaging-history.set'))
    assert.equal(stage.events.all.filter(each => each.event === 'download').length, 0)
    /** @type {any[]} */
    const heard = []
    probe.sock.ev.on('messages.upsert', ({ messages }) => heard.push(...messages))
    await stage.op('message', { chat: ANA, id: 'H1', text: 'x' })
    await probe.until('messages.upsert', data => data.messages[0].key.id === 'H1')
    await new Promise(resolve => setTimeout(resolve, 500))
    assert.equal(heard.length, 1, 'not held for twenty seconds')
})

test('offline.js: the engine asks for one batch of 100 and no more', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    await probe.sock.end(undefined)
    await stage.op('messages', { chat: ANA, count: 130, prefix: 'O' })
    const asked = () => stage.events.all.filter(each => each.event === 'batch-request').length
    const before = asked()
    probe.connect(stage)
    await probe.until('messages.upsert', data => data.messages[0].key.id === 'O-99')
    await moment()
    assert.equal(asked() - before, 1)
    assert.ok((await stage.op('queued', { list: false })).count >= 30)
})

test('stanzas.js: a stanza whose first enc is a bot message is refused unread', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    const attrs = { from: ANA_JID, id: 'BOT', t: '1795328371', type: 'text' }
    const content = [{ tag: 'enc', attrs: { type: 'msmsg', v: '2' }, content: { b: 'AQID' } }]
    await stage.op('stanza', { node: { tag: 'message', attrs, content } })
    await stage.op('drained')
    assert.equal(probe.decrypted.all.length, 0)
    assert.ok(!probe.emitted.all.some(each => each.event === 'messages.upsert'))
    assert.equal((await stage.heard('BOT'))[0].event, 'nack')
})

test('messages.js: a plaintext is read as the engine reads it', async t => {
    const stage = await Stage.set(t)
    /** @type {Map<Uint8Array, Uint8Array>} */
    const plaintexts = new Map()
    const makeSignalRepository = (/** @type {any} */ auth, /** @type {any} */ logger, /** @type {any} */ lookUp) => {
        const inner = engine.makeLibSignalRepository(auth, logger, lookUp)
        return {
            ...inner,
            decryptMessage: async (/** @type {any} */ args) => {
                const plaintext = await inner.decryptMessage(args)
                plaintexts.set(args.ciphertext, plaintext)
                return plaintext
            }
        }
    }
    const probe = await Probe.linked(stage, t, { makeSignalRepository })
    /** @type {Map<string, any>} */
    const nodes = new Map()
    probe.sock.ws.prependListener('CB:message', (/** @type {any} */ node) => nodes.set(node.attrs.id, node))
    const image = { mimetype: 'image/jpeg', caption: 'c', fileLength: 3, mediaKey: 'SS8=' }
    const key = { remoteJid: 'x@s.whatsapp.net', fromMe: false, id: 'T1' }
    const reaction = { key, text: '👍', senderTimestampMs: 5 }
    await stage.op('message', { chat: ANA, id: 'T1', text: 'hello', addressing: 'lid' })
    await stage.op('message', { chat: ANA, id: 'T2', message: { imageMessage: image } })
    await stage.op('message', { chat: ANA, id: 'T3', text: 'mine', from_me: true })
    await stage.op('message', { chat: ANA, id: 'T4', message: { reactionMessage: reaction } })
    for (const id of ['T1', 'T2', 'T3', 'T4']) {
        const { messages: [emitted] } = await probe.until('messages.upsert', data => data.messages[0].key.id === id)
        const node = nodes.get(id)
        const [enc] = children(node, 'enc')
        const raw = /** @type {Uint8Array} */ (plaintexts.get(/** @type {any} */ (enc.content)))
        const me = /** @type {any} */ (probe.creds.me)
        const [entry] = plaintextEntries({ node, raw, form: 'padded', source: 'enc:1', me })
        assert.deepEqual(entry.payload, messagePayload(emitted), id)
    }
})

test('decrypt.js: a stanza is unsettled until all its ciphertexts are entries', () => {
    const tickets = new Tickets()
    const [one, two] = [Buffer.from('1'), Buffer.from('2')]
    const node = { tag: 'message', attrs: { id: 'T' } }
    let settled = 0
    tickets.expect(node, [one, two], () => { settled += 1 })
    tickets.of(one).settled()
    assert.equal(tickets.unsettled(node.attrs)?.node, node)
    tickets.of(two).settled()
    assert.equal(tickets.unsettled(node.attrs), undefined)
    tickets.expect(node, [one, two], () => { settled += 1 })
    tickets.unsettled(node.attrs)?.settled()
    tickets.of(one).settled()
    assert.equal(tickets.unsettled(node.attrs), undefined)
    assert.equal(settled, 2)
})

test('resend.js: a placeholder is asked for at once, repeatedly, and the answer names its request', async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    await stage.op('store', { chat: ANA, messages: [{ id: 'P1', text: 'once more', time: 1795328371 }] })
    const session = /** @type {any} */ ({ me: probe.creds.me, sock: probe.sock })
    for (const round of [1, 2]) {
        const from = probe.emitted.all.length
        const request = await requestResend(session, { remoteJid: ANA_JID, fromMe: false, id: 'P1' })
        const { messages } = await probe.until('messages.upsert', data => data.requestId === request, from)
        assert.equal(messages[0].message.conversation, 'once more', `round ${round}`)
    }
})

test("ondemand.js: what is asked for under an id of our own is what the engine's own request asks for", async t => {
    const stage = await Stage.set(t)
    const probe = await Probe.linked(stage, t)
    const { messages: [, anchor] } = await stage.op('store', { chat: ANA, count: 2 })
    const session = /** @type {any} */ ({ me: probe.creds.me, sock: probe.sock })
    const key = { remoteJid: ANA_JID, id: anchor.id, fromMe: anchor.from_me }
    const theirs = await probe.sock.fetchMessageHistory(20, key, anchor.time)
    const chosen = { id: '3EB0C0FFEE0123456789AB', chat: ANA_JID, time: anchor.time, count: 20 }
    assert.equal(await requestHistory(session, { ...chosen, anchor: { ...key } }), chosen.id)
    const asked = async (/** @type {string} */ request) => {
        const is = (/** @type {any} */ each) => each.event === 'on-demand-request' && each.request === request
        const { chat, anchor: message, from_me, count, time } = await stage.events.until('request', is)
        return { chat, message, from_me, count, time }
    }
    assert.deepEqual(await asked(chosen.id), await asked(theirs))
    await stage.events.until('answer', event => event.event === 'on-demand-answer' && event.request === chosen.id)
    const attributes = /category: 'peer',\s+push_priority: 'high_force'\s+},\s+additionalNodes: \[\s+{\s+tag: 'meta',/
    assert.match(await source('lib/Socket/messages-send.js'), attributes)
})
