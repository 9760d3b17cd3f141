/** A daemon in memory, over a real bridge process: keys, journal, and what a test makes go wrong. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Feed } from './feed.js'

const NODE_FOLDER = fileURLToPath(new URL('../..', import.meta.url))

/** What outlives a bridge process. */
export class Disk {
    constructor() {
        /** @type {Record<string, string>} */
        this.creds = {}
        /** @type {Map<string, string>} */
        this.keys = new Map()
        /** @type {Map<string, any>} */
        this.journal = new Map()
    }

    /** @param {string} account @param {any} commit */
    write(account, { creds, keys, entries }) {
        if (creds) this.creds[account] = creds
        for (const [type, values] of Object.entries(keys ?? {})) {
            for (const [id, value] of Object.entries(/** @type {Record<string, string | null>} */ (values))) {
                const name = `${account} ${type} ${id}`
                if (value === null) this.keys.delete(name)
                else this.keys.set(name, value)
            }
        }
        for (const entry of entries ?? []) {
            const name = `${account} ${entry.kind} ${entry.source}`
            if (!this.journal.has(name)) this.journal.set(name, entry)
        }
    }

    /** @param {string} [kind] */
    entries(kind) {
        return [...this.journal.values()].filter(entry => !kind || entry.kind === kind)
    }

    /** @param {string} account */
    open(account) {
        const ended = new Set(this.entries('history-end').map(entry => entry.payload.notice))
        return [...this.journal]
            .filter(([name, { kind, source }]) =>
                name.startsWith(`${account} `) && kind === 'history-notice' && !ended.has(source))
            .map(([, { source, raw, envelope }]) => ({ source, raw, envelope }))
    }
}

export class Daemon {
    /** @param {Disk} disk @param {string} url @param {string[]} [nodeOptions] */
    constructor(disk, url, nodeOptions = ['--import', './fake_whatsapp/preload.js']) {
        this.disk = disk
        /** @type {Feed<any>} */
        this.frames = new Feed()
        /** @type {string[]} */
        this.rubbish = []
        this.commands = 0
        /** Whether a commit is kept and answered; a test may say no. @type {(frame: any) => boolean} */
        this.keeps = () => true
        /** Answers that wait to be let go. @type {(() => void)[] | null} */
        this.held = null
        /** @type {Map<string, {count: number, texts: string[]}>} */
        this.parts = new Map()
        this.child = spawn(process.execPath, [...nodeOptions, 'bridge/main.js'], {
            cwd: NODE_FOLDER, env: { WHATSAPP_WEB_URL: url }, stdio: ['pipe', 'pipe', 'pipe']
        })
        this.stderr = ''
        this.child.stderr.on('data', data => { this.stderr += data })
        this.child.stdin.on('error', () => {})
        this.exited = once(this.child, 'exit')
        createInterface({ input: this.child.stdout }).on('line', line => this.line(line))
    }

    /** @param {string} line */
    line(line) {
        let frame
        try {
            frame = JSON.parse(line)
        } catch {
            this.rubbish.push(line)
            return
        }
        if (frame.t === 'part') frame = this.assembled(frame)
        if (frame) this.take(frame)
    }

    /** @param {any} part */
    assembled({ of, count, text }) {
        /** @type {{count: number, texts: string[]}} */
        const open = this.parts.get(of) ?? { count, texts: [] }
        open.texts.push(text)
        this.parts.set(of, open)
        return open.texts.length === count ? JSON.parse(open.texts.join('')) : null
    }

    /** @param {any} frame */
    take(frame) {
        const { t, account, id } = frame
        if (t === 'commit' && this.keeps(frame)) {
            this.disk.write(account, frame)
            this.answer({ t: 'committed', account, id })
        } else if (t === 'get') {
            const values = Object.fromEntries(frame.ids.flatMap((/** @type {string} */ key) => {
                const value = this.disk.keys.get(`${account} ${frame.type} ${key}`)
                return value === undefined ? [] : [[key, value]]
            }))
            this.answer({ t: 'got', account, id, values })
        } else if (t === 'find') {
            const found = [...this.disk.journal].find(([name, entry]) =>
                name.startsWith(`${account} `) && entry.source === frame.source)?.[1]
            const { raw = null, form = null, envelope } = found ?? {}
            this.answer({ t: 'found', account, id, raw, form, envelope })
        }
        this.frames.add(frame)
    }

    /** @param {any} frame */
    answer(frame) {
        if (this.held) this.held.push(() => this.send(frame))
        else this.send(frame)
    }

    hold() {
        this.held = []
    }

    release() {
        /** @type {(() => void)[]} */
        const held = this.held ?? []
        this.held = null
        for (const send of held) send()
    }

    /** @param {any} frame */
    send(frame) {
        this.child.stdin.write(typeof frame === 'string' ? frame : `${JSON.stringify(frame)}\n`)
    }

    /** @param {string} command @param {string} [account] @param {any} [args] */
    async do(command, account, args) {
        const id = `c${++this.commands}`
        this.send({ t: 'do', id, command, account, args })
        const answer = await this.frames.until(`answer to ${command}`, frame =>
            (frame.t === 'done' || frame.t === 'failed') && frame.id === id)
        if (answer.t === 'failed') throw Object.assign(new Error(answer.error.message), { code: answer.error.code })
        return answer.result
    }

    /** @param {string} account */
    start(account) {
        const creds = this.disk.creds[account] ?? null
        return this.do('start', account, { creds, fullHistory: true, open: this.disk.open(account) })
    }

    /** @param {string} account @param {string} status @param {number} [from] */
    state(account, status, from) {
        return this.frames.until(`${account} ${status}`, frame =>
            frame.t === 'state' && frame.account === account && frame.status === status, from)
    }

    /** @param {string} kind @param {(entry: any) => any} [wanted] */
    async entry(kind, wanted = () => true) {
        const fits = (/** @type {any} */ entry) => entry.kind === kind && wanted(entry)
        const frame = await this.frames.until(`entry ${kind}`, each => each.t === 'commit' && each.entries?.some(fits))
        return { frame, entry: frame.entries.find(fits) }
    }

    /** @param {string} id */
    message(id) {
        return this.entry('message', entry => entry.payload?.key.id === id)
    }

    /** Restart with what is on disk. @param {string} url */
    async killed(url) {
        this.child.kill('SIGKILL')
        await this.exited
        return new Daemon(this.disk, url)
    }

    async end() {
        if (this.child.exitCode === null && this.child.signalCode === null) {
            this.child.stdin.end()
            const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000)
            await this.exited
            clearTimeout(timer)
        }
    }
}
