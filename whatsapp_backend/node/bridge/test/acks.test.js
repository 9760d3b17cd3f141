/** What the engine tells of its answers before they leave: nobody else says so, and a new version of it might not. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { ackingLogger } from '../acks.js'
import * as engine from '../engine.js'
import { Probe } from './engine_probe.js'
import { ANA, Stage } from './stage.js'

test('acks.js: the engine tells of a refusal right before it leaves, with the attributes that came', async t => {
    const stage = await Stage.set(t)
    /** @type {any[]} */
    const order = []
    const config = {
        logger: ackingLogger(({ attrs }) => order.push(['told', attrs])),
        makeSignalRepository: (/** @type {any} */ auth, /** @type {any} */ logger, /** @type {any} */ lookUp) => {
            const inner = engine.makeLibSignalRepository(auth, logger, lookUp)
            inner.lidMapping.getLIDForPN = async () => { throw new Error('before it is decrypted') }
            return inner
        }
    }
    const probe = await Probe.linked(stage, t, config)
    const ws = /** @type {any} */ (probe.sock).ws
    ws.on('CB:message', (/** @type {any} */ { attrs }) => order.push(['came', attrs]))
    const send = ws.socket.send.bind(ws.socket)
    ws.socket.send = (/** @type {any[]} */ ...args) => {
        order.push(['left'])
        return send(...args)
    }
    await stage.op('message', { chat: ANA, id: 'NACK', text: 'x', addressing: 'pn', alt: false })
    await stage.events.until('nack', event => event.event === 'nack' && event.id === 'NACK')
    const told = order.findIndex(([what]) => what === 'told')
    assert.equal(order[told][1], order.find(([what]) => what === 'came')[1], 'the very same object')
    assert.equal(order[told + 1][0], 'left')
})

test('acks.js: the engine tells of a receipt right before it leaves', async t => {
    const stage = await Stage.set(t)
    /** @type {any[]} */
    const order = []
    const probe = await Probe.linked(stage, t, { logger: ackingLogger(() => {}, ids => order.push(ids)) })
    const ws = /** @type {any} */ (probe.sock).ws
    const send = ws.socket.send.bind(ws.socket)
    ws.socket.send = (/** @type {any[]} */ ...args) => {
        order.push('left')
        return send(...args)
    }
    await stage.op('message', { chat: ANA, id: 'READABLE', text: 'x' })
    await probe.until('messages.upsert', data => data.messages[0].key.id === 'READABLE')
    const told = order.findIndex(what => what[0] === 'READABLE')
    assert.deepEqual(order.slice(told, told + 2), [['READABLE'], 'left'])
})
