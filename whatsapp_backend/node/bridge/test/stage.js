/** A fake WhatsApp in this process, and bridges that talk to it. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { Control } from '../../fake_whatsapp/control.js'
import { FakeWhatsApp } from '../../fake_whatsapp/server.js'
import { Daemon, Disk } from './daemon.js'
import { Feed } from './feed.js'

for (const name of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug'])) console[name] = () => {}

const LOOSE_ENDS = new Set(['unhandled-rejection', 'uncaught-exception', 'frame-not-sent'])
export const ME = '15550001111'
export const ANA = '15550002222'
export const ACCOUNT = 'account_demo_0a'

/** One stage and one open account, for those tests of a file that leave both as they found them. */
export function sharedStage() {
    /** @type {Promise<{stage: Stage, daemon: Daemon}> | undefined} */
    let made
    /** @type {() => Promise<void>} */
    let end = async () => {}
    after(() => end()) // registered here: inside a test it would belong to that test
    const make = async () => {
        const stage = await Stage.set({ after: strike => { end = strike } })
        return { stage, daemon: await stage.paired() }
    }
    return () => (made ??= make())
}

export class Stage {
    constructor() {
        /** @type {Feed<any>} */
        this.events = new Feed()
        this.server = new FakeWhatsApp(event => this.events.add(event))
        this.control = new Control(this.server, () => {})
        this.url = ''
        /** @type {Daemon[]} */
        this.daemons = []
    }

    /** @param {{after(end: () => Promise<void>): void}} t */
    static async set(t) {
        const stage = new Stage()
        stage.url = await stage.server.listen(0)
        t.after(() => stage.struck())
        return stage
    }

    async struck() {
        await Promise.all(this.daemons.map(daemon => daemon.end()))
        await this.server.close()
        for (const { frames, rubbish } of this.daemons) {
            assert.deepEqual(rubbish, [], 'only frames on standard output')
            assert.deepEqual(frames.all.filter(({ event }) => LOOSE_ENDS.has(event)), [])
        }
    }

    /** @param {string} op @param {Record<string, any>} [args] @returns {Promise<any>} */
    op(op, args = {}) {
        return this.control.run(op, { account: ME, ...args })
    }

    /** @param {Disk} [disk] */
    daemon(disk = new Disk()) {
        const daemon = new Daemon(disk, this.url)
        this.daemons.push(daemon)
        return daemon
    }

    /** @param {Daemon} daemon */
    async killed(daemon) {
        const next = await daemon.killed(this.url)
        this.daemons.push(next)
        return next
    }

    /** A daemon whose account is paired and open. */
    async paired() {
        const daemon = this.daemon()
        await daemon.start(ACCOUNT)
        const { qr } = await daemon.state(ACCOUNT, 'qr')
        await this.op('scan', { qr, phone: ME, name: 'Me' })
        await daemon.state(ACCOUNT, 'paired')
        await daemon.state(ACCOUNT, 'closed')
        await this.opened(daemon)
        return daemon
    }

    /** @param {Daemon} daemon */
    async opened(daemon) {
        const from = daemon.frames.all.length
        await daemon.start(ACCOUNT)
        await daemon.state(ACCOUNT, 'open', from)
        await daemon.state(ACCOUNT, 'caught-up', from)
    }

    /** What the bridge told WhatsApp of a message. @param {string} id */
    async heard(id) {
        return (await this.op('heard', { id })).heard
    }
}
