/** A fake WhatsApp in this process, and bridges that talk to it. */
import assert from 'node:assert/strict'
import { Control } from '../../fake_whatsapp/control.js'
import { FakeWhatsApp } from '../../fake_whatsapp/server.js'
import { Daemon, Disk } from './daemon.js'
import { Feed } from './feed.js'

for (const name of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug'])) console[name] = () => {}

const LOOSE_ENDS = new Set(['unhandled-rejection', 'uncaught-exception', 'frame-not-sent'])
export const ME = '15550001111'
export const ANA = '15550002222'
export const ACCOUNT = 'account_demo_0a'

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

    /** @param {import('node:test').TestContext} t */
    static async set(t) {
        const stage = new Stage()
        stage.url = await stage.server.listen(0)
        t.after(async () => {
            await Promise.all(stage.daemons.map(daemon => daemon.end()))
            await stage.server.close()
            for (const { frames, rubbish } of stage.daemons) {
                assert.deepEqual(rubbish, [], 'only frames on standard output')
                const loose = frames.all.filter(({ event }) => LOOSE_ENDS.has(event))
                assert.deepEqual(loose, [])
            }
        })
        return stage
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
