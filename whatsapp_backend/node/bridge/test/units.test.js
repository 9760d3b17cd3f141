import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import test from 'node:test'
import { deflateSync } from 'node:zlib'
import { checkFrame } from '../check.js'
import { downloadHistory } from '../download.js'
import { proto } from '../engine.js'
import { plaintextEntries, readStanza, stanzaEntry } from '../entries.js'
import { FrameWriter, linesOf, MAX_LINE_BYTES } from '../frames.js'
import { KeyStore } from '../keys.js'
import { Link } from '../link.js'
import { TextCache } from '../lru.js'
import { webPayload } from '../messages.js'
import { Outgoing } from '../outgoing.js'
import { FrameReader } from '../reader.js'
import { readHistory } from '../records.js'
import { fromJson, stanzaHash, toJson } from '../stanzas.js'
import { tidy, TooDeep } from '../tidy.js'
import { Unanswered } from '../unanswered.js'

const page = readFileSync(new URL('../../../../docs/frames.md', import.meta.url), 'utf8')
/** @type {any[]} */
const EXAMPLES = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text))
const FROM_DAEMON = new Set(['got', 'committed', 'found', 'halt', 'do', 'part'])

function reading() {
    /** @type {any[]} */
    const frames = []
    /** @type {any[]} */
    const errors = []
    const reader = new FrameReader({
        onFrame: frame => frames.push(frame),
        onError: ({ code, account, field }) => errors.push({ code, account, field })
    })
    const line = (/** @type {any} */ value) =>
        reader.push(Buffer.from(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`))
    return { frames, errors, reader, line }
}

test('every example of a frame to the bridge is read, however it is cut', () => {
    const examples = EXAMPLES.filter(({ t }) => FROM_DAEMON.has(t) && t !== 'part')
    assert.equal(examples.length, 5)
    const bytes = Buffer.from(examples.map(each => `${JSON.stringify(each)}\n`).join(''))
    for (const size of [1, 7, bytes.length]) {
        const { frames, errors, reader } = reading()
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
        assert.deepEqual(frames, examples)
        assert.deepEqual(errors, [])
    }
})

test('every example of a frame from the bridge is written as it stands', () => {
    const examples = EXAMPLES.filter(({ t }) => t && !['got', 'committed', 'found', 'halt', 'do'].includes(t))
    assert.ok(examples.length >= 8)
    for (const each of examples) {
        const [line] = linesOf(each, () => 'p1')
        assert.deepEqual(JSON.parse(line), each)
    }
})

test('rubbish is named, with the account where there is one, and the next line is read', () => {
    const { frames, errors, line } = reading()
    line('{')
    line('{"t":"got","account":"account_x","id":')
    line('[1]')
    line({ t: 'dance', account: 'account_x' })
    line({ t: 'got', account: 'account_x', id: '1', values: { a: 1 } })
    line({ t: 'committed', id: '1' })
    line(`{"account":"account_x","text":"${'x'.repeat(MAX_LINE_BYTES)}"}`)
    line({ t: 'committed', account: 'account_x', id: '1' })
    assert.deepEqual(errors, [
        { code: 'not-json', account: undefined, field: undefined },
        { code: 'not-json', account: 'account_x', field: undefined },
        { code: 'not-an-object', account: undefined, field: undefined },
        { code: 'unknown-type', account: 'account_x', field: undefined },
        { code: 'bad-field', account: 'account_x', field: 'values' },
        { code: 'bad-field', account: undefined, field: 'account' },
        { code: 'too-long', account: 'account_x', field: undefined }
    ])
    assert.deepEqual(frames, [{ t: 'committed', account: 'account_x', id: '1' }])
})

test('random bytes never throw', () => {
    let seed = 42
    const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff
    const { reader, line, frames } = reading()
    for (let round = 0; round < 300; round++) {
        reader.push(Buffer.from(Array.from({ length: Math.floor(random() * 50) }, () => Math.floor(random() * 256))))
    }
    line('')
    line({ t: 'committed', account: 'a', id: '1' })
    assert.equal(frames.at(-1).id, '1')
})

test('a long frame travels as parts, each line below the limit, and comes back whole', () => {
    const text = '"\\é😀漢'.repeat(300_000)
    const frame = { t: 'found', account: 'a', id: '1', raw: text, form: 'web' }
    const lines = linesOf(frame, () => 'p1')
    assert.ok(lines.length > 1)
    assert.ok(lines.every(line => Buffer.byteLength(line) <= MAX_LINE_BYTES))
    const { frames, errors, reader } = reading()
    for (const line of lines) reader.push(Buffer.from(line))
    assert.deepEqual(errors, [])
    assert.equal(frames[0].raw, text)
})

test('parts out of order, too many, or interrupted are bad parts', () => {
    const part = { t: 'part', account: 'a', of: 'p', index: 0, count: 2, text: '{' }
    const cases = [
        [{ ...part, index: 1 }],
        [part, { ...part, index: 0 }],
        [part, { t: 'committed', account: 'a', id: '1' }],
        [part, { ...part, index: 1, of: 'q' }]
    ]
    for (const lines of cases) {
        const { errors, line } = reading()
        for (const each of lines) line(each)
        assert.equal(errors[0]?.code, 'bad-part')
        assert.equal(errors[0]?.account, 'a')
    }
    const { errors, frames, line } = reading()
    line(part)
    line({ t: 'committed', account: 'b', id: '1' }) // another account may speak in between
    line({ ...part, index: 1, text: '"t":"committed","account":"a","id":"9"}' })
    assert.deepEqual(errors, [])
    assert.deepEqual(frames.map(({ id }) => id), ['1', '9'])
})

test('a full pipe makes frames wait in their order', async () => {
    /** @type {string[]} */
    const written = []
    const slow = new Writable({
        highWaterMark: 10,
        write(chunk, _, done) {
            written.push(String(chunk))
            setImmediate(done)
        }
    })
    const writer = new FrameWriter(slow)
    for (let index = 0; index < 50; index++) writer.write({ t: 'x', index })
    await new Promise(resolve => writer.flushed(() => resolve(undefined)))
    const order = written.filter(Boolean).map(line => JSON.parse(line).index)
    assert.deepEqual(order, Array.from({ length: 50 }, (_, index) => index))
})

test('commands and fields are checked by type', () => {
    assert.throws(() => checkFrame({ t: 'do', id: '1', command: 'x', args: [] }), { code: 'bad-field', field: 'args' })
    assert.throws(() => checkFrame({ t: 'constructor' }), { code: 'unknown-type' })
    assert.doesNotThrow(() => checkFrame({ t: 'do', id: '1', command: 'ping', args: null }))
})

/** A link that a test answers by hand. */
function linked() {
    /** @type {any[]} */
    const frames = []
    const link = new Link('a', 'g1', frame => frames.push(frame))
    const answer = (/** @type {string} */ t, /** @type {any} */ fields = {}) => {
        const asks = { got: 'get', committed: 'commit', found: 'find' }
        const asked = frames.find(frame => !frame.answered && frame.t === asks[/** @type {keyof typeof asks} */ (t)])
        asked.answered = true
        link.answer({ t, account: 'a', id: asked.id, ...fields })
    }
    return { frames, link, answer }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('a key is cached only when it is on disk, and what is on its way is asked for', async () => {
    const { frames, link, answer } = linked()
    const keys = new KeyStore(link)
    const set = keys.set({ session: { x: { v: 1 } }, 'wa-entry': { s: { source: 's' } } })
    assert.deepEqual(frames[0].keys, { session: { x: '{"v":1}' } })
    assert.deepEqual(frames[0].entries, [{ source: 's' }])
    const early = keys.get('session', ['x'])
    await turn()
    assert.equal(frames.length, 2)
    answer('got', { values: { x: '{"v":1}' } })
    assert.deepEqual(await early, { x: { v: 1 } })
    answer('committed')
    await set
    assert.deepEqual(await keys.get('session', ['x']), { x: { v: 1 } })
    assert.equal(frames.length, 2, 'from the cache now')
})

test('an answer that is older than a commit on its way is not cached', async () => {
    const { frames, link, answer } = linked()
    const keys = new KeyStore(link)
    const old = keys.get('session', ['x'])
    const set = keys.set({ session: { x: { v: 2 } } })
    answer('got', { values: { x: '{"v":1}' } })
    await old
    const again = keys.get('session', ['x'])
    await turn()
    assert.equal(frames.filter(frame => frame.t === 'get').length, 2)
    answer('got', { values: { x: '{"v":2}' } })
    assert.deepEqual(await again, { x: { v: 2 } })
    answer('committed')
    await set
})

test('an app-state version goes out after the events of its change', async () => {
    const { frames, link } = linked()
    const keys = new KeyStore(link)
    await keys.set({ 'app-state-sync-version': { regular: { version: 3 } } })
    assert.equal(frames.length, 0)
    assert.deepEqual(await keys.get('app-state-sync-version', ['regular']), { regular: { version: 3 } })
    void link.commit({ entries: [] })
    await turn()
    await turn()
    assert.deepEqual(frames.map(frame => Boolean(frame.keys)), [false, true])
})

test('binary keys come back as they were', async () => {
    const { link, answer } = linked()
    const keys = new KeyStore(link)
    const keyData = proto.Message.AppStateSyncKeyData.fromObject({ keyData: Buffer.from([1, 2, 3]), timestamp: 5 })
    const preKey = { private: Buffer.from('p'), public: new Uint8Array([9]) }
    const set = keys.set({ 'app-state-sync-key': { k: keyData }, 'pre-key': { 1: preKey } })
    answer('committed')
    await set
    const { k } = await keys.get('app-state-sync-key', ['k'])
    assert.deepEqual(Buffer.from(k.keyData), Buffer.from([1, 2, 3]))
    const pre = (await keys.get('pre-key', ['1']))['1']
    assert.ok(pre.private.equals(Buffer.from('p')))
    assert.deepEqual([...pre.public], [9])
})

test('a closed link says nothing and answers nothing', async () => {
    const { frames, link } = linked()
    let answered = false
    void link.commit({}).then(() => { answered = true })
    link.close()
    link.answer({ t: 'committed', account: 'a', id: frames[0].id })
    void link.get('session', ['x'])
    link.state('open')
    await turn()
    assert.equal(answered, false)
    assert.equal(frames.length, 1)
})

test('what is sent waits for what was committed before it, in order', async () => {
    /** @type {any[]} */
    const sent = []
    const socket = { send: (/** @type {any} */ data) => sent.push(data) }
    const outgoing = new Outgoing()
    outgoing.install(socket)
    socket.send(1)
    let release = () => {}
    outgoing.hold(new Promise(resolve => { release = () => resolve(undefined) }))
    socket.send(2)
    socket.send(3)
    await turn()
    assert.deepEqual(sent, [1])
    release()
    await turn()
    assert.deepEqual(sent, [1, 2, 3])
    outgoing.hold(new Promise(() => {}))
    socket.send(4)
    outgoing.close()
    socket.send(5)
    await turn()
    assert.deepEqual(sent, [1, 2, 3])
})

test('the cache is bounded by entries and by length', () => {
    const cache = new TextCache({ maxEntries: 2, maxChars: 20 })
    cache.set('a', '1')
    cache.set('b', '2')
    cache.get('a')
    cache.set('c', '3')
    assert.deepEqual(['a', 'b', 'c'].map(key => cache.get(key)), ['1', undefined, '3'])
    cache.set('d', 'x'.repeat(18))
    assert.deepEqual(['a', 'c', 'd'].map(key => cache.get(key)?.length), [undefined, undefined, 18])
})

test('values become plain: no buffers, longs, lone surrogates, nulls', () => {
    const long = { low: 5, high: 0, unsigned: true, toString: () => '5' }
    const odd = { a: Buffer.from('x'), b: null, c: 'a\ud800', d: long, e: [1, undefined], f: () => 1, g: NaN }
    assert.deepEqual(tidy(odd), { a: 'eA==', c: 'a\ufffd', d: 5, e: [1, null] })
    let deep = {}
    for (let level = 0; level < 200; level++) deep = { deep }
    assert.throws(() => tidy(deep), TooDeep)
})

test('a message that cannot be decoded is an entry with its problem', () => {
    const node = { tag: 'message', attrs: { from: '15550002222@s.whatsapp.net', id: 'X', t: '1' } }
    const raw = Buffer.from('ffffffff01', 'hex')
    const me = { id: '15550001111@s.whatsapp.net' }
    const [entry] = plaintextEntries({ node, raw, form: 'padded', source: 'enc:1', me })
    assert.equal(entry.payload, null)
    assert.ok(entry.problem)
    assert.equal(entry.raw, raw.toString('base64'))
})

test('history messages carry integers, base64 and the participant of groups', () => {
    const web = proto.WebMessageInfo.fromObject({
        key: { remoteJid: '1@g.us', fromMe: false, id: 'H' }, participant: '15550002222@s.whatsapp.net',
        messageTimestamp: '1795328371', status: 'READ', message: { imageMessage: { mediaKey: 'SS8=', fileLength: '3' } }
    })
    assert.deepEqual(webPayload(web), {
        key: { remoteJid: '1@g.us', fromMe: false, id: 'H', participant: '15550002222@s.whatsapp.net' },
        messageTimestamp: 1795328371, status: 4, message: { imageMessage: { mediaKey: 'SS8=', fileLength: 3 } }
    })
})

test('the same stanza has the same hash, offline or not, and JSON gives it back', () => {
    const items = [{ tag: 'item', attrs: { id: '2' } }, { tag: 'b', attrs: {}, content: Buffer.from([1]) }]
    const content = [{ tag: 'list', attrs: {}, content: /** @type {any} */ (items) }]
    const node = { tag: 'receipt', attrs: { id: '1', from: 'a@s.whatsapp.net' }, content }
    const offline = { ...node, attrs: { offline: '3', from: 'a@s.whatsapp.net', id: '1' } }
    assert.equal(stanzaHash(node), stanzaHash(offline))
    assert.notEqual(stanzaHash(node), stanzaHash({ ...node, attrs: { ...node.attrs, id: '9' } }))
    assert.equal(stanzaHash(fromJson(JSON.parse(JSON.stringify(toJson(node))))), stanzaHash(node))
    const me = { id: '15550001111@s.whatsapp.net' }
    assert.deepEqual(readStanza(node, me), stanzaEntry(node, me).payload)
})

test('a chunk is cut by messages and by bytes, and nothing of it is left out', () => {
    const message = (/** @type {number} */ index) => ({ message: {
        key: { remoteJid: 'a@s.whatsapp.net', id: `M${index}` }, messageTimestamp: index,
        message: { conversation: 'x'.repeat(index % 7 === 0 ? 30_000 : 10) }
    } })
    const messages = Array.from({ length: 500 }, (_, index) => message(index))
    const sync = proto.HistorySync.fromObject({ syncType: 2, conversations: [
        { id: 'a@s.whatsapp.net', endOfHistoryTransferType: 1, messages },
        { id: 'b@s.whatsapp.net', messages: [{ message: { messageTimestamp: 4 } }, {}] }
    ], phoneNumberToLidMappings: [{ pnJid: 'a@s.whatsapp.net', lidJid: '88@lid' }] })
    const { records, ends } = readHistory(proto.HistorySync.decode(proto.HistorySync.encode(sync).finish()))
    const all = [...records]
    assert.ok(all.every(record => record.messages.length <= 200 && JSON.stringify(record).length < 1_000_000))
    const ids = all.flatMap(record => record.messages.map(each => each.key?.id))
    assert.equal(ids.length, 501)
    assert.equal(new Set(ids).size, 501, 'the one without a key included')
    assert.deepEqual(all[0].mappings, [{ lid: '88@lid', pn: 'a@s.whatsapp.net' }])
    assert.deepEqual(ends, [{ id: 'a@s.whatsapp.net', end: 1 }, { id: 'b@s.whatsapp.net' }])
})

test('a chunk that unpacks to more than it may is refused', async () => {
    const bomb = deflateSync(Buffer.alloc(1_000_000))
    const open = async () => Readable.from([bomb])
    await assert.rejects(downloadHistory({}, { maxBytes: 10_000, open }), { name: 'TooLarge' })
    await assert.rejects(downloadHistory({}, { open: async () => Readable.from([Buffer.from('no zlib')]) }))
})

test('unanswered.js: of messages with one id, which two senders may choose, each is answered by itself', () => {
    const unanswered = new Unanswered()
    const [one, other, third] = ['a', 'b', 'c'].map(from => ({ tag: 'message', attrs: { id: 'ALIKE', from } }))
    for (const stanza of [one, other, third]) unanswered.came(stanza)
    unanswered.received(['ALIKE'])
    assert.equal(unanswered.told.count, 2)
    unanswered.acked(third)
    unanswered.received(['ALIKE', 'ALIKE', 'NEVER CAME'])
    assert.deepEqual(unanswered.told, { count: 0, since: null })
})
