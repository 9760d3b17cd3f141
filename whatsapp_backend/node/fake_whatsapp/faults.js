/**
 * What goes wrong on the server's side of a connection, planned ahead. Stages, in the order a connection meets them:
 * `connect` (TCP accepted, upgrade not answered), `hello` (before the server's handshake message), `login` (handshake
 * over, before success or failure), `active` (before the answer to `passive active`), `offline` (before the offline
 * preview), `batch` (before a batch of queued stanzas), `marker` (before the end-of-offline marker).
 */

export const STAGES = ['connect', 'hello', 'login', 'active', 'offline', 'batch', 'marker']
export const ACTIONS = ['stall', 'terminate', 'rubbish', 'withhold']

/** @typedef {{stage: string, action: string, account?: string, times: number, bytes: number, framed: boolean}} Fault */

export class Faults {
    constructor() {
        /** @type {Fault[]} */
        this.planned = []
    }

    /** @param {Fault} fault */
    plan(fault) {
        if (!STAGES.includes(fault.stage)) throw new Error(`stage must be one of ${STAGES.join(', ')}`)
        if (!ACTIONS.includes(fault.action)) throw new Error(`action must be one of ${ACTIONS.join(', ')}`)
        this.planned.push(fault)
    }

    /** @param {string} stage @param {string | undefined} account @returns {Fault | undefined} */
    take(stage, account) {
        const fault = this.planned.find(each => each.stage === stage && each.times > 0 &&
            (each.account === undefined || each.account === account))
        if (fault) fault.times -= 1
        return fault
    }

    clear() {
        this.planned = []
    }
}
