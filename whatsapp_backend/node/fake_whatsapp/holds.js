/**
 * Rules about what a client sends, for tests of crashes. A rule catches stanzas that match it and
 * `lose`s them (as if they never arrived), `terminate`s the connection before they are read, or `park`s them until the
 * rule is released.
 */

/**
 * @typedef {{account?: string, tag?: string, id?: string, type?: string, class?: string, xmlns?: string,
 *   child?: string}} Match
 * @typedef {{name: string, match: Match, then: 'lose' | 'terminate' | 'park', times: number, caught: number,
 *   parked: (() => Promise<void>)[]}} Hold
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

    /** @param {Match} match @param {Hold['then']} then @param {number} times @returns {Hold} */
    add(match, then, times) {
        const rule = { name: `hold-${++this.made}`, match, then, times, caught: 0, parked: [] }
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
