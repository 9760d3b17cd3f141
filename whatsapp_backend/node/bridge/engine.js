/**
 * Everything that the bridge uses of Baileys, in one place: what an upgrade must still have (test/contract.test.js).
 */
import { createRequire } from 'node:module'
import { DEFAULT_CONNECTION_CONFIG } from 'baileys'

export {
    ALL_WA_PATCH_NAMES,
    Browsers,
    BufferJSON,
    cleanMessage,
    decodeMessageNode,
    downloadContentFromMessage,
    fetchLatestWaWebVersion,
    generateMessageIDV2,
    generateWAMessage,
    initAuthCreds,
    isLidUser,
    jidNormalizedUser,
    makeWASocket,
    areJidsSameUser,
    isJidGroup,
    normalizeMessageContent,
    processHistoryMessage,
    proto,
    S_WHATSAPP_NET,
    unpadRandomMax16
} from 'baileys'

export const { makeSignalRepository: makeLibSignalRepository, waWebSocketUrl: DEFAULT_WEB_URL } =
    DEFAULT_CONNECTION_CONFIG

const { version } = createRequire(import.meta.url)('baileys/package.json')
export const ENGINE = `baileys ${version}`

/** @typedef {import('baileys').WASocket} WASocket */
/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('baileys').AuthenticationCreds} Creds */
/** @typedef {{id: string, lid?: string, name?: string}} Me */

/**
 * A logger that says nothing: Baileys logs keys, bodies and numbers.
 * @type {any}
 */
export const SILENT = {
    level: 'silent',
    child: () => SILENT,
    trace() {},
    debug() {},
    info() {},
    warn() {},
    error() {}
}
