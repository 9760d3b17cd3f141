import assert from 'node:assert/strict'
import test from 'node:test'
import { proto } from '../engine.js'
import { OfflineQueue } from '../offline.js'
import { readHistory } from '../records.js'
import { sendText } from '../send.js'
import { shrunk } from '../shrink.js'

test('a commit loses its largest payloads, then its largest bytes, until it fits', () => {
    const entry = (/** @type {string} */ source, /** @type {number} */ payload, /** @type {number} */ raw) =>
        ({ kind: 'message', source, payload: { text: 'x'.repeat(payload) }, raw: 'y'.repeat(raw), form: 'padded' })
    const frame = { t: 'commit', account: 'a', id: '1', entries: [entry('s', 10, 10), entry('l', 2000, 500)] }
    const [small, large] = shrunk(frame, 1000)?.entries ?? []
    assert.deepEqual(small, frame.entries[0])
    assert.deepEqual(large, { ...frame.entries[1], payload: null, problem: 'too large' })
    const none = shrunk(frame, 400)?.entries[1]
    assert.deepEqual(none, { kind: 'message', source: 'l', payload: null, problem: 'too large' })
    assert.equal(shrunk(frame, 20), undefined)
    assert.equal(shrunk({ t: 'found' }), undefined)
})

test('a history message too large for a record leaves its bytes, or its place', () => {
    const web = (/** @type {string} */ id, /** @type {string} */ text) =>
        ({ message: { key: { remoteJid: '1@g.us', id }, message: { conversation: text } } })
    const messages = [web('A', 'fine'), web('B', '\u0001'.repeat(4_000_000)), web('C', 'x'.repeat(13_000_000))]
    const sync = proto.HistorySync.fromObject({ syncType: 2, conversations: [{ id: '1@g.us', messages }] })
    const records = [...readHistory(sync).records]
    const all = records.flatMap(record => record.messages)
    assert.deepEqual(all.map(message => Object.keys(message).length).slice(1), [1, 0])
    assert.equal(all[0].key.id, 'A')
    assert.ok(records.every(record => JSON.stringify(record).length < 18_000_000))
})

test('the offline queue is asked for again when it falls silent, and not after the end', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let asked = 0
    const queue = new OfflineQueue({ ask: () => { asked += 1 }, report: () => assert.fail('not drained') })
    queue.handed()
    t.mock.timers.tick(60_000)
    assert.equal(asked, 0, 'one is still on its way')
    queue.settled()
    t.mock.timers.tick(5000)
    assert.equal(asked, 1)
    t.mock.timers.tick(10_000)
    assert.equal(asked, 2, 'later each time')
    queue.handed()
    queue.settled()
    t.mock.timers.tick(5000)
    assert.equal(asked, 3)
    queue.end()
    t.mock.timers.tick(600_000)
    assert.equal(asked, 3)
})

test('a send that got no answer is no refusal', async () => {
    for (const [statusCode, refusals] of [[408, 0], [428, 0], [403, 1]]) {
        /** @type {any[]} */
        const entries = []
        const error = Object.assign(new Error('x'), { output: { statusCode } })
        const session = /** @type {any} */ ({
            link: { commit: async (/** @type {any} */ commit) => entries.push(...commit.entries) },
            seen: { add() {} }, nextSource: () => 'ev:1', me: { id: '15550001111@s.whatsapp.net' },
            sock: { relayMessage: async () => { throw error } }
        })
        await assert.rejects(sendText(session, { chat: '15550002222@s.whatsapp.net', text: 'x' }), error)
        assert.deepEqual(entries.filter(({ kind }) => kind === 'update').length, refusals)
    }
})
