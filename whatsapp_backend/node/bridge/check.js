/** Which frames the daemon may send, and the types of their fields. */

/**
 * @typedef {'too-long' | 'not-json' | 'not-an-object' | 'unknown-type' | 'bad-field' | 'bad-part'} ProtocolErrorName
 */

export class ProtocolError extends Error {
    name = 'ProtocolError'

    /**
     * @param {ProtocolErrorName} code
     * @param {{account?: string, field?: string}} [where]
     */
    constructor(code, { account, field } = {}) {
        super(field ? `${code} ${field}` : code)
        this.code = code
        this.account = account
        this.field = field
    }
}

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const text = value => typeof value === 'string'
/** @type {Check} */
const id = value => typeof value === 'string' && value.length > 0 && value.length <= 200
/** @type {Check} */
const count = value => Number.isSafeInteger(value) && Number(value) >= 0
/** @type {Check} */
const object = value => typeof value === 'object' && value !== null && !Array.isArray(value)
/** @type {(check: Check) => Check} */
const optional = check => value => value == null || check(value)
/** @type {Check} */
const texts = value => object(value) && Object.values(/** @type {object} */ (value)).every(optional(text))

/** @type {Record<string, Record<string, Check>>} */
const FRAMES = {
    got: { account: id, id, values: texts },
    committed: { account: id, id },
    found: { account: id, id, raw: optional(text), form: optional(text), envelope: optional(object) },
    halt: { account: id, reason: text },
    do: { id, command: text, account: optional(id), args: optional(object) },
    part: { account: optional(id), of: id, index: count, count, text }
}

/**
 * The frame that a parsed line is. Throws ProtocolError.
 * @param {any} value
 */
export function checkFrame(value) {
    if (!object(value)) throw new ProtocolError('not-an-object')
    const account = id(value.account) ? value.account : undefined
    const fields = typeof value.t === 'string' && Object.hasOwn(FRAMES, value.t) ? FRAMES[value.t] : null
    if (!fields) throw new ProtocolError('unknown-type', { account })
    for (const [field, check] of Object.entries(fields)) {
        if (!check(value[field])) throw new ProtocolError('bad-field', { account, field })
    }
    return value
}
