import assert from 'node:assert/strict'
import test from 'node:test'
import { Fake, Store } from './client.js'

const ME = '15550001111'

test('a device is linked by its code and logs in after 515', async t => {
    const fake = await Fake.started(t)
    const { client, store, code } = await fake.linked(ME)
    assert.equal(code, 515)
    assert.equal(store.creds.me?.id, `${ME}:1@s.whatsapp.net`)
    assert.equal(store.creds.me?.lid, '88000000001111:1@lid')
    await client.caughtUp()
    const { devices } = await fake.op('person', { phone: ME })
    assert.equal(devices.length, 1)
    assert.equal(devices[0].prekeys, 812)
    assert.equal(devices[0].live, true)
})

test('a device that nobody linked is refused with 401', async t => {
    const fake = await Fake.started(t)
    const other = await Fake.started(t)
    const { client, store } = await other.linked(ME)
    await client.stop()
    assert.equal(await fake.client(store).closed(), 401)
})

test('logging out unlinks the device', async t => {
    const fake = await Fake.started(t)
    const { client, store } = await fake.linked(ME)
    await client.sock.logout()
    await fake.wait('unlinked', { why: 'logout' })
    assert.equal(await fake.client(store).closed(), 401)
})

test('two accounts live side by side', async t => {
    const fake = await Fake.started(t)
    const one = await fake.linked(ME)
    const two = await fake.linked('15550002222')
    await fake.op('message', { account: '15550002222', chat: '15550003333', id: 'A', text: 'for two' })
    assert.equal((await two.client.message('A')).message.conversation, 'for two')
    assert.ok(!one.client.ids().includes('A'))
})

test('a code that is not shown any more cannot be scanned', async t => {
    const fake = await Fake.started(t)
    const pairing = fake.client(new Store())
    const { qr } = await pairing.until('connection.update', data => Boolean(data.qr))
    await pairing.stop()
    await fake.wait('closed')
    await assert.rejects(fake.op('scan', { qr, phone: ME }), /nobody shows this code/)
})
