/** Somebody with a phone: the owner of an account, or a contact. Also groups, and the world that holds them all. */
import { Endpoint } from './endpoint.js'
import { isGroup, jid, lidUserOf, numberOf, parseJid } from './ids.js'
import { Chats } from './chats.js'

export class Person {
    /** @param {string} number */
    constructor(number) {
        this.number = number
        this.lidUser = lidUserOf(number)
        this.name = `Contact ${number.slice(-4)}`
        /** Whether the server tells which LID belongs to the number. */
        this.lidKnown = true
        this.phone = new Endpoint(1 + Number(number.slice(-4)))
        /** @type {Map<number, import('./companion.js').Companion>} */
        this.companions = new Map()
        this.nextDevice = 1
        this.chats = new Chats()
        this.online = true
        this.answersRetries = true
        /** @type {boolean | 'empty'} */
        this.resendsPlaceholders = true
        this.placeholderDelayMs = 0
        /** @type {string | undefined} the reason of a `<failure>` that every login gets */
        this.refusal = undefined
        /** Whether the offline queue is handed out in the batches the client asks for. */
        this.batches = true
        this.onDemand = {
            /** @type {'same' | 'pn' | 'lid'} */ form: 'same',
            /** @type {'inline' | 'blob'} */ as: 'inline',
            /** @type {'any' | 's' | 'ms'} */ unit: 'any',
            limit: 50,
            delay_ms: 0,
            strict: true,
            alias: true
        }
    }

    /** @param {number} [device] */
    pn(device = 0) {
        return jid(this.number, 's.whatsapp.net', device)
    }

    /** @param {number} [device] */
    lid(device = 0) {
        return jid(this.lidUser, 'lid', device)
    }

    /** @param {'pn' | 'lid'} form */
    as(form) {
        return form === 'lid' ? this.lid() : this.pn()
    }

    /**
     * The identity that an address of the form `addressing` does not tell, as an attribute.
     * @param {string} name @param {'pn' | 'lid'} addressing
     */
    other(name, addressing) {
        const form = addressing === 'lid' ? 'pn' : 'lid'
        return { [`${name}_${form}`]: this.as(form) }
    }

    /** How Signal endpoints address this person's phone. */
    get address() {
        return `${this.number}.0`
    }

    devices() {
        return [...this.companions.values()]
    }
}

/** @typedef {{id: string, subject: string, members: Person[], addressing: 'pn' | 'lid', admins: Set<Person>,
 *   time: number, owner?: Person, description?: string, announce?: boolean}} Group */

export class World {
    constructor() {
        /** @type {Map<string, Person>} */
        this.people = new Map()
        /** @type {Map<string, Person>} */
        this.byLid = new Map()
        /** @type {Map<string, Group>} */
        this.groups = new Map()
    }

    /** The person behind a number or JID; made on first mention. @param {string} ref */
    person(ref) {
        const text = String(ref)
        if (text.endsWith('@lid')) {
            const found = this.byLid.get(parseJid(text).user)
            if (!found) throw new Error(`nobody has the LID ${text}`)
            return found
        }
        const number = numberOf(text)
        const known = this.people.get(number)
        if (known) return known
        const person = new Person(number)
        this.people.set(number, person)
        this.byLid.set(person.lidUser, person)
        return person
    }

    /** @param {string} ref a JID that a client wrote; it may name anybody at all */
    find(ref) {
        try {
            return this.person(ref)
        } catch {
            return undefined
        }
    }

    /** @param {Group} group */
    addGroup(group) {
        if (!isGroup(group.id)) throw new Error('a group id ends in @g.us')
        this.groups.set(group.id, group)
    }

    /** @param {string} id */
    group(id) {
        const found = this.groups.get(id)
        if (!found) throw new Error(`no such group: ${id}`)
        return found
    }

    /** Where a conversation of an account is kept, whatever form its JID has. @param {string} ref */
    chatKey(ref) {
        if (isGroup(ref) || ref.includes('@broadcast') || ref.includes('@newsletter')) return ref
        return this.find(ref)?.number ?? ref
    }

    /** @param {string} ref an account's number */
    account(ref) {
        const person = this.person(ref)
        if (!person.companions.size) throw new Error(`${ref} has no linked device`)
        return person
    }

    /** @param {string} ref @param {number | undefined} [device] the newest one if not given */
    companion(ref, device) {
        const all = this.account(ref).devices()
        const found = device === undefined ? all.at(-1) : all.find(each => each.number === device)
        if (!found) throw new Error(`${ref} has no linked device ${device}`)
        return found
    }
}
