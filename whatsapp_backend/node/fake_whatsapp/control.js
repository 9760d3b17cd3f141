/** Requests of tests: each is an op, answered when it is done. Ops run side by side; order is kept where it matters. */
import { OPS } from './ops/index.js'

export class Control {
    /**
     * @param {import('./server.js').FakeWhatsApp} server
     * @param {(line: Record<string, unknown>) => void} write
     */
    constructor(server, write) {
        this.server = server
        this.write = write
        /** @type {Set<string>} */
        this.muted = new Set()
    }

    /** @param {Record<string, unknown>} event */
    pass(event) {
        if (!this.muted.has(String(event.event))) this.write(event)
    }

    /** @param {string} line */
    async take(line) {
        let id = null
        try {
            const { id: given, op, args = {} } = JSON.parse(line)
            id = given
            this.write({ id, ok: true, result: await this.run(op, args) ?? {} })
        } catch (error) {
            this.write({ id, ok: false, error: /** @type {Error} */ (error).message })
        }
    }

    /** @param {string} op @param {Record<string, any>} args @returns {Promise<any>} */
    async run(op, args) {
        if (op === 'mute') {
            this.muted = new Set(args.events)
            return {}
        }
        const carryOut = OPS[op]
        if (!carryOut) throw new Error(`unknown op: ${op}`)
        return carryOut(this.server, args)
    }
}
