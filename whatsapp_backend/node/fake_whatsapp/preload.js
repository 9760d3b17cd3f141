/**
 * `node --import preload.js bridge`: makes Baileys trust the TEST root and sends its downloads to the fake server, so
 * that the bridge itself runs unmodified. Refuses anything but a fake server on the loopback interface.
 */
import { WA_CERT_DETAILS } from 'baileys'
import { TEST_ROOT_PUBLIC } from './root.js'

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])
const server = new URL(process.env.WHATSAPP_WEB_URL ?? 'missing:')

if (server.protocol !== 'ws:' || !LOOPBACK.has(server.hostname)) {
    throw new Error('the fake WhatsApp preload needs WHATSAPP_WEB_URL=ws://127.0.0.1:PORT/ws/chat')
}

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(TEST_ROOT_PUBLIC, 'hex')

const originalFetch = globalThis.fetch

globalThis.fetch = (/** @type {string | URL | Request} */ input, /** @type {RequestInit | undefined} */ init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const isWhatsApp = url.hostname === 'whatsapp.net' || url.hostname.endsWith('.whatsapp.net') ||
        url.hostname === 'whatsapp.com' || url.hostname.endsWith('.whatsapp.com')
    if (!isWhatsApp) return originalFetch(input, init)
    return originalFetch(`http://${server.host}${url.pathname}${url.search}`, init)
}
