/** `node fake_whatsapp/main.js [--port N]`: requests on standard input, answers and events on standard output. */
import { parseArgs } from 'node:util'
import { createInterface } from 'node:readline'

// libsignal prints sessions, private keys included: nothing of it may reach the protocol on standard output.
for (const name of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug'])) console[name] = () => {}

const { FakeWhatsApp } = await import('./server.js')
const { Control } = await import('./control.js')

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } })

/** @param {Record<string, unknown>} line */
const write = line => void process.stdout.write(JSON.stringify(line) + '\n')

process.stdout.on('error', () => process.exit(0))

const server = new FakeWhatsApp()
const control = new Control(server, write)
server.onEvent = (/** @type {Record<string, unknown>} */ event) => control.pass(event)
const url = await server.listen(Number(values.port))
write({ event: 'listening', url })

const lines = createInterface({ input: process.stdin })
lines.on('line', line => void control.take(line))
lines.on('close', () => process.exit(0))
