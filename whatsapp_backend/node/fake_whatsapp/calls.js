/** Calls, as far as a device that only listens hears of them. */
import { node } from './nodes.js'

/** @typedef {import('./person.js').Person} Person */

/**
 * @typedef {{id: string, stanza: string, time: number, from: Person, by: Person, group?: string, what: string,
 *   reason?: string, video: boolean, addressing: 'pn' | 'lid', alt: boolean}} Call
 */

/** @param {Call} call */
function said({ what, reason }) {
    if (what === 'timeout') return { tag: 'terminate', reason: 'timeout' }
    return { tag: what, reason }
}

/** @param {Call} call */
export function callStanza(call) {
    const { id, stanza, time, from, by, group, video, addressing, alt } = call
    const { tag, reason } = said(call)
    const media = tag === 'offer'
        ? [node('audio', { enc: 'opus', rate: '16000' }), ...video ? [node('video', { enc: 'vp8' })] : []] : undefined
    return node('call', {
        from: by.as(addressing), id: stanza, t: time, notify: tag === 'offer' ? by.name : undefined,
        ...alt ? by.other('sender', addressing) : {}
    }, [node(tag, {
        'call-id': id, 'call-creator': from.as(addressing), ...alt ? from.other('caller', addressing) : {},
        'group-jid': group, type: group ? 'group' : undefined, reason
    }, media)])
}
