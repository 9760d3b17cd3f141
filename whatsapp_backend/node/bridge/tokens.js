/** Keeps the privacy tokens of a history chunk where the engine looks for them. */
import { isLidUser } from './engine.js'

/** The engine prunes the tokens that this names. */
const INDEX = '__index'

/**
 * @param {{jid: string, token: Buffer, timestamp: number, senderTimestamp?: number}[]} tokens
 * @param {{keys: any, lidMapping: {getLIDForPN(pn: string): Promise<string | null>}}} store
 */
export async function storeTokens(tokens, { keys, lidMapping }) {
    const placed = await Promise.all(tokens.map(async token => {
        const jid = isLidUser(token.jid) ? token.jid : await lidMapping.getLIDForPN(token.jid) ?? token.jid
        return { ...token, jid }
    }))
    const known = await keys.get('tctoken', [...placed.map(({ jid }) => jid), INDEX])
    /** @type {Record<string, any>} */
    const newer = {}
    for (const { jid, token, timestamp, senderTimestamp } of placed) {
        if (Number(known[jid]?.timestamp ?? 0) >= timestamp) continue
        newer[jid] = { ...known[jid], token, timestamp: String(timestamp), ...(senderTimestamp && { senderTimestamp }) }
    }
    if (!Object.keys(newer).length) return
    const index = new Set([...indexed(known[INDEX]), ...Object.keys(newer)])
    await keys.set({ tctoken: { ...newer, [INDEX]: { token: Buffer.from(JSON.stringify([...index])) } } })
}

/** @param {{token?: Uint8Array} | undefined} entry */
function indexed(entry) {
    try {
        const jids = JSON.parse(Buffer.from(entry?.token ?? []).toString())
        return Array.isArray(jids) ? jids : []
    } catch {
        return []
    }
}
