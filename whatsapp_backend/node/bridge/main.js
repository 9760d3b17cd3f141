/** The bridge process: standard input and output carry frames (docs/frames.md), and nothing else ever does. */
import './console.js'

const { Bridge } = await import('./bridge.js')
const { FrameReader } = await import('./reader.js')
const { FrameWriter } = await import('./frames.js')

const LAST_WORDS_MS = 500

const writer = new FrameWriter(process.stdout)
const bridge = new Bridge(writer, { webUrl: process.env.WHATSAPP_WEB_URL })
const reader = new FrameReader({
    onFrame: frame => bridge.take(frame),
    onError: error => bridge.refuse(error)
})

/** @param {number} code */
function exit(code) {
    bridge.destroy()
    process.exit(code)
}

// What the error says may hold keys or bodies, so only its class is told.
process.on('uncaughtException', error => {
    writer.write({ t: 'log', level: 'error', event: 'uncaught-exception', fields: { error: error?.name ?? 'unknown' } })
    bridge.destroy()
    writer.flushed(() => process.exit(1))
    setTimeout(() => process.exit(1), LAST_WORDS_MS)
})
process.on('unhandledRejection', reason => {
    const name = reason instanceof Error ? reason.name : 'unknown'
    writer.write({ t: 'log', level: 'warn', event: 'unhandled-rejection', fields: { error: name } })
})

process.stdout.on('error', () => exit(0)) // the daemon is gone
process.stdin.on('error', () => exit(0))
process.stdin.on('end', () => exit(0))
process.stdin.on('close', () => exit(0))
process.stdin.on('data', chunk => reader.push(/** @type {Buffer} */ (chunk)))

bridge.hello()
