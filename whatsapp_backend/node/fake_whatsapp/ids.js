/** Numbers, LIDs and JIDs. Everybody's LID follows from their number, so that tests can write it down. */

/** @param {string} ref a number, a JID or a number with a plus */
export function numberOf(ref) {
    const number = String(ref).replace(/^\+/, '').split('@')[0].split(':')[0]
    if (!/^1555\d{7}$/.test(number)) throw new Error(`not a test number (1555 and seven digits): ${ref}`)
    return number
}

/** @param {string} number */
export function lidUserOf(number) {
    return `88${number.slice(-7).padStart(12, '0')}`
}

/** @param {string} user @param {string} server @param {number} [device] */
export function jid(user, server, device = 0) {
    return device ? `${user}:${device}@${server}` : `${user}@${server}`
}

/** @param {string} text @returns {{user: string, server: string, device: number}} */
export function parseJid(text) {
    const [left, server = ''] = String(text).split('@')
    const [user, device = '0'] = left.split(':')
    return { user, server, device: Number(device) || 0 }
}

/** @param {string} text */
export function bareJid(text) {
    const { user, server } = parseJid(text)
    return user ? jid(user, server) : text
}

/** @param {string} ref */
export function isGroup(ref) {
    return ref.endsWith('@g.us')
}

let stanzas = 0

/** An id for stanzas of the server itself. */
export function stanzaId() {
    stanzas += 1
    return `srv-${stanzas}`
}

let messages = 0

/** An id for a message that was not given one. */
export function messageId() {
    messages += 1
    return `3EB0${messages.toString(16).toUpperCase().padStart(16, '0')}`
}

export function nowS() {
    return Math.floor(Date.now() / 1000)
}
