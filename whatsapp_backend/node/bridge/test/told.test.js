/** What receipts and calls tell, from stanzas as WhatsApp sends them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { readStanza } from '../entries.js'
import { Recent } from '../lru.js'
import { headOf } from '../messages.js'
import { keyOfDerived, remember } from '../told.js'

const ME = '15550001111@s.whatsapp.net'
const MY_LID = '88000000001111@lid'
const me = { id: '15550001111:4@s.whatsapp.net', lid: '88000000001111:4@lid' }
const ANA = '15550002222@s.whatsapp.net'
const ANA_LID = '88000000002222@lid'
const GROUP = '120363000000000001@g.us'
const T = { t: '1795328371' }
const time = 1795328371

/** @param {string} tag @param {any} [attrs] @param {any} [content] */
const node = (tag, attrs = {}, content = undefined) => ({ tag, attrs, content })

/** @param {any} attrs @param {any} [content] */
const receipt = (attrs, content) => readStanza(node('receipt', { ...T, ...attrs }, content), me)

/** @param {any} attrs @param {string} tag @param {any} [inner] @param {any} [content] */
const call = (attrs, tag, inner, content) =>
    readStanza(node('call', { ...T, id: 'S', ...attrs }, [node(tag, { 'call-id': 'C', ...inner }, content)]), me)

test('a receipt names the chat under both identities, without a device', () => {
    assert.deepEqual(receipt({ id: 'A', from: '88000000002222:3@lid', sender_pn: ANA, type: 'read' },
        [node('list', {}, [node('item', { id: 'B' })])]),
    { chat: ANA_LID, chatAlt: ANA, ids: ['A', 'B'], type: 'read', time })
    assert.deepEqual(receipt({ id: 'A', from: ANA, sender_lid: ANA_LID }),
        { chat: ANA, chatAlt: ANA_LID, ids: ['A'], type: 'delivery', time })
    assert.deepEqual(receipt({ id: 'A', from: ANA, sender_pn: ANA }),
        { chat: ANA, ids: ['A'], type: 'delivery', time }, 'its own name is no other name')
})

test('a receipt of one of our own devices is own, and its chat is the recipient', () => {
    for (const from of ['15550001111:2@s.whatsapp.net', '88000000001111:2@lid']) {
        const own = receipt({ id: 'A', from, recipient: ANA_LID, peer_recipient_pn: ANA, type: 'read-self' })
        assert.deepEqual(own, {
            chat: ANA_LID, chatAlt: ANA, ids: ['A'], recipient: ANA_LID, type: 'read-self', time, own: true
        })
    }
})

test('in a group the participant is told under both identities, and we are us under either', () => {
    assert.deepEqual(receipt({ id: 'A', from: GROUP, participant: ANA_LID, participant_pn: ANA }),
        { chat: GROUP, ids: ['A'], participant: ANA_LID, participantAlt: ANA, type: 'delivery', time })
    for (const participant of [ME, MY_LID]) {
        const own = receipt({ id: 'A', from: GROUP, participant, recipient: ANA, type: 'read' })
        assert.deepEqual(own, {
            chat: GROUP, ids: ['A'], participant, recipient: ANA, type: 'read', time, own: true
        })
    }
})

test('several users in one receipt are all told, with what each of them has', () => {
    const list = (/** @type {string} */ key, /** @type {any[]} */ ...users) => node('participants', { key }, users)
    const user = (/** @type {string} */ jid, /** @type {any} */ more) => node('user', { jid, ...more })
    const content = [
        list('A', user(ANA_LID, { t: '7', participant_pn: ANA }), user('88000000003333:1@lid', {})),
        list('B', user(ANA_LID, { t: '9' }))
    ]
    assert.deepEqual(receipt({ id: 'X', from: GROUP, type: 'read' }, content), {
        chat: GROUP, ids: ['A', 'B'], type: 'read', time, users: [
            { jid: ANA_LID, alt: ANA, id: 'A', time: 7 }, { jid: '88000000003333@lid', id: 'A', time },
            { jid: ANA_LID, id: 'B', time: 9 }
        ]
    })
})

test('a call is from who called, and its chat is who we talk to', () => {
    const creator = { 'call-creator': `88000000002222:1@lid`, caller_pn: ANA }
    assert.deepEqual(call({ from: ANA_LID }, 'offer', creator, [node('audio'), node('video')]),
        { from: ANA_LID, fromAlt: ANA, chat: ANA_LID, id: 'C', time, what: 'offer', video: true })
    assert.deepEqual(call({ from: ANA, sender_lid: ANA_LID }, 'terminate', { reason: 'timeout' }),
        { from: ANA, fromAlt: ANA_LID, chat: ANA, id: 'C', time, what: 'timeout', reason: 'timeout' })
    assert.deepEqual(call({ from: ANA }, 'terminate', { reason: 'accepted_elsewhere' }).what, 'terminate')
    assert.deepEqual(call({ from: ANA_LID }, 'accept', { 'call-creator': MY_LID }),
        { from: MY_LID, chat: ANA_LID, id: 'C', time, what: 'accept', own: true })
    assert.deepEqual(call({ from: ANA_LID }, 'offer_notice', { ...creator, 'group-jid': GROUP, media: 'video' }),
        { from: ANA_LID, fromAlt: ANA, chat: GROUP, id: 'C', time, what: 'offer', video: true, group: true })
})

test('a call of a group is known by the group, with the caller as the participant', () => {
    const of = (/** @type {any} */ inner) => {
        const offer = node('call', { ...T, id: 'S', from: ANA_LID }, [node('offer', { 'call-id': 'C', ...inner })])
        return keyOfDerived(offer, readStanza(offer, me))
    }
    const creator = { 'call-creator': ANA_LID, caller_pn: ANA }
    assert.deepEqual(of({ ...creator, 'group-jid': GROUP })?.key,
        { remoteJid: GROUP, participant: ANA_LID, participantAlt: ANA })
    assert.deepEqual(of(creator)?.key, { remoteJidAlt: ANA })
    assert.equal(of({ 'call-creator': ANA_LID, 'group-jid': 'odd' })?.key, undefined)
})

test('what the engine does not say of a notification or a call is remembered, unless that is nothing', () => {
    /** @type {Recent<import('../told.js').Known>} */
    const derived = new Recent(9)
    const came = (/** @type {string} */ tag, /** @type {any} */ attrs, /** @type {any} */ content = []) => {
        const stanza = node(tag, { ...T, ...attrs }, content)
        remember(derived, keyOfDerived(stanza, readStanza(stanza, me)))
    }
    const notified = { type: 'w:gp2', from: GROUP, participant: ANA_LID }
    came('notification', { ...notified, id: 'A', participant_pn: ANA, addressing_mode: 'lid' })
    assert.deepEqual(derived.about('A'), { of: ANA_LID, key: { participantAlt: ANA, addressingMode: 'lid' } })
    came('notification', { ...notified, id: 'B' })
    came('receipt', { from: GROUP, participant: ANA_LID, participant_pn: ANA, id: 'B' })
    assert.equal(derived.has('B'), false)
    const creator = { 'call-id': 'C', 'call-creator': ANA_LID, caller_pn: ANA }
    came('call', { from: ANA_LID, id: 'S1' }, [node('offer', { ...creator, 'group-jid': GROUP })])
    came('call', { from: ANA_LID, id: 'S2' }, [node('terminate', creator)])
    assert.deepEqual(derived.about('C')?.key, { remoteJid: GROUP, participant: ANA_LID, participantAlt: ANA },
        'the end of a call need not name the group again')
    assert.equal(keyOfDerived(node('call', { ...T }), null), undefined, 'what could not be read')
})

test('the other name of who posted a status is his, not that of the chat', () => {
    const attrs = { ...T, id: 'S', from: 'status@broadcast', participant: ANA, participant_lid: ANA_LID }
    const { key } = headOf(attrs, me)
    assert.deepEqual([key.participant, key.participantAlt, key.remoteJidAlt], [ANA, ANA_LID, undefined])
})

test('whatever else is in the place of a receipt, a notification or a call is read or refused, and never more', () => {
    for (const tag of ['receipt', 'notification', 'call']) {
        const odd = [undefined, 'text', Buffer.from([1]), [], [node('x')], [node('participants', {}, 'no')]]
        for (const content of odd) {
            assert.equal(typeof readStanza(node(tag, {}, content), me), 'object')
            assert.equal(typeof readStanza(node(tag, { from: 'x', id: 'y', t: 'z' }, content), undefined), 'object')
        }
    }
})
