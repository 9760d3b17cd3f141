/** Edits, revokes and reactions, as their sender writes them: keys are in the sender's words. */
import { proto } from 'baileys'
import { isGroupChat } from './outgoing.js'

/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('./person.js').World} World */

/**
 * @typedef {{sender: Person, chat: Person | import('./person.js').Group, account: Person, fromMe: boolean,
 *   addressing: 'pn' | 'lid', time: number}} Place
 */

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type
/** What the stanza says of it, so that old clients hide it. */
const EDITED = '1'
const REVOKED = '7'
const REVOKED_BY_ADMIN = '8'

/**
 * @param {Place} place @param {string} id @param {boolean} own whether the sender wrote the message it is about
 * @param {Person} [author] needed in groups if not
 */
function keyFor({ chat, account, fromMe, addressing }, id, own, author) {
    if (isGroupChat(chat)) {
        return { remoteJid: chat.id, fromMe: own, id, participant: own ? undefined : author?.as(addressing) }
    }
    const remote = fromMe ? chat : account
    return { remoteJid: remote.as(addressing), fromMe: own, id }
}

/** @type {Record<string, (place: Place, what: any, world: World) => {message: proto.IMessage, edit?: string}>} */
const CHANGES = {
    edit(place, { id, text, ...more }) {
        const editedMessage = more.message ? proto.Message.fromObject(more.message) : { conversation: text }
        const protocolMessage = {
            key: keyFor(place, id, true), type: MESSAGE_EDIT, editedMessage, timestampMs: place.time * 1000
        }
        return { message: { editedMessage: { message: { protocolMessage } } }, edit: EDITED }
    },
    revoke(place, { id, by_admin_of: author }, world) {
        const own = author === undefined
        const key = keyFor(place, id, own, own ? undefined : world.person(author))
        return { message: { protocolMessage: { key, type: REVOKE } }, edit: own ? REVOKED : REVOKED_BY_ADMIN }
    },
    react(place, { id, text = '', from_me: own = false, participant }, world) {
        const author = participant === undefined ? undefined : world.person(participant)
        const key = keyFor(place, id, own || author === place.sender, author)
        return { message: { reactionMessage: { key, text, senderTimestampMs: place.time * 1000 } } }
    }
}

/**
 * The change that the arguments of a message ask for, if any.
 * @param {Record<string, any>} args @param {Place} place @param {World} world
 */
export function changeIn(args, place, world) {
    const name = Object.keys(CHANGES).find(each => args[each] !== undefined)
    return name === undefined ? undefined : CHANGES[name](place, args[name], world)
}
