/**
 * Rules about what a client sends, for tests of crashes. A rule catches stanzas that match it and
 * `lose`s them (as if they never arrived), `terminate`s the connection before they are read, `park`s them until the
 * rule is released, or, for messages, lets them through but answers with an error (`refuse`) or not at all (`no-ack`).
 */

export const THENS = /** @type {const} */ (['lose', 'terminate', 'park', 'refuse', 'no-ack'])

/**
 * @typedef {{account?: string, tag?: string, id?: string, type?: string, class?: string, xmlns?: string,
 *   child?: string}} Match
 * @typedef {{match: Match, then: typeof THENS[number], times: number, error: number}} Wish
 * @typedef {Wish & {name: string, caught: number, parked: (() => Promise<void>)[]}} Hold
 */

/** @param {Match} match @param {string | undefined} account @param {import('baileys').BinaryNode} node */
function matches(match, account, node) {
    if (match.account !== undefined && match.account !== account) return false
    if (match.tag !== undefined && match.tag !== node.tag) return false
    if (match.child !== undefined) {
        const inside = Array.isArray(node.content) ? node.content : []
        if (!inside.some(each => each.tag === match.child)) return false
    }
    for (const name of /** @type {const} */ (['id', 'class', 'xmlns'])) {
        if (match[name] !== undefined && match[name] !== node.attrs[name]) return false
    }
    return match.type === undefined || match.type === (node.attrs.type ?? 'delivery')
}

export class Holds {
    constructor() {
        /** @type {Map<string, Hold>} */
        this.rules = new Map()
        this.made = 0
    }

    /** @param {Wish} wish @returns {Hold} */
    add(wish) {
        if (!THENS.includes(wish.then)) throw new Error(`then must be one of ${THENS.join(', ')}`)
        const rule = { ...wish, name: `hold-${++this.made}`, caught: 0, parked: [] }
        this.rules.set(rule.name, rule)
        return rule
    }

    /** @param {string | undefined} account @param {import('baileys').BinaryNode} node */
    catching(account, node) {
        for (const rule of this.rules.values()) {
            if (rule.caught < rule.times && matches(rule.match, account, node)) {
                rule.caught += 1
                return rule
            }
        }
        return undefined
    }

    /** Drop a rule and handle what it parked. @param {string} name */
    async release(name) {
        const rule = this.rules.get(name)
        if (!rule) throw new Error(`no such hold: ${name}`)
        this.rules.delete(name)
        for (const carryOn of rule.parked) await carryOn()
        return { caught: rule.caught, released: rule.parked.length }
    }
}
