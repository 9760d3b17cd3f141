import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { Fake } from './client.js'

const PRELOAD = fileURLToPath(new URL('../preload.js', import.meta.url))
const FOLDER = fileURLToPath(new URL('.', import.meta.url))

// Baileys as it comes: nothing in this script knows of a fake server but the address.
const STOCK = `
    import { initAuthCreds, makeWASocket } from 'baileys'
    const logger = { level: 'silent' }
    logger.child = () => logger
    for (const each of ['trace', 'debug', 'info', 'warn', 'error']) logger[each] = () => {}
    const keys = { get: async () => ({}), set: async () => {} }
    const sock = makeWASocket({
        auth: { creds: initAuthCreds(), keys }, logger, waWebSocketUrl: process.env.WHATSAPP_WEB_URL
    })
    sock.ev.on('connection.update', async ({ qr }) => {
        if (!qr) return
        const { status } = await fetch('https://mmg.whatsapp.net/nothing?here=1')
        process.stdout.write(JSON.stringify({ qr, status }), () => process.exit(0))
    })
`

/** @param {string} url @param {string} script */
function preloaded(url, script) {
    const child = spawn(process.execPath, ['--import', PRELOAD, '--input-type=module', '-e', script], {
        cwd: FOLDER, env: { ...process.env, WHATSAPP_WEB_URL: url }, stdio: ['ignore', 'pipe', 'pipe']
    })
    return { child, output: text(child.stdout), complaints: text(child.stderr) }
}

test('with the preload stock Baileys trusts the fake server and downloads from it', async t => {
    const fake = await Fake.started(t)
    const { child, output } = preloaded(fake.url, STOCK)
    t.after(() => child.kill('SIGKILL'))
    const { qr, status } = JSON.parse(await output)
    assert.match(qr, /#2@/)
    assert.equal(status, 404)
    await fake.wait('download', { path: '/nothing' })
})

test('the preload refuses servers that are not on this machine', async t => {
    const { child, output, complaints } = preloaded('wss://web.example.com/ws/chat', 'process.stdout.write("ran")')
    t.after(() => child.kill('SIGKILL'))
    assert.equal(await output, '')
    assert.match(await complaints, /needs WHATSAPP_WEB_URL/)
})
