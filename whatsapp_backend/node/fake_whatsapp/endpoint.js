/**
 * A Signal endpoint that the fake owns: the device of a contact, or an account's phone. Sessions live in memory only.
 * Peers are addressed by number and device, whatever name (phone JID or LID) the stanza used: it is one session.
 */
import { createRequire } from 'node:module'
import { Curve, encodeBigEndian, generateSignalPubKey, KEY_BUNDLE_TYPE, signedKeyPair } from 'baileys'
import {
    GroupCipher, GroupSessionBuilder, SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord
} from 'baileys/lib/Signal/Group/index.js'
import { node } from './nodes.js'

const libsignal = createRequire(import.meta.url)('libsignal')

/**
 * What a peer publishes of itself.
 * @typedef {{registrationId: number, identityKey: Uint8Array,
 *   signedPreKey: {keyId: number, publicKey: Uint8Array, signature: Uint8Array},
 *   preKey?: {keyId: number, publicKey: Uint8Array}}} Bundle
 */

/** @param {string} text */
function address(text) {
    const [user, device] = text.split('.')
    return new libsignal.ProtocolAddress(user, Number(device))
}

/** @param {{private: Uint8Array, public: Uint8Array}} pair */
function libsignalPair(pair) {
    return { privKey: Buffer.from(pair.private), pubKey: Buffer.from(generateSignalPubKey(pair.public)) }
}

export class Endpoint {
    /** @param {number} registrationId */
    constructor(registrationId) {
        this.registrationId = registrationId
        this.identity = Curve.generateKeyPair()
        this.signedPreKey = signedKeyPair(this.identity, 1)
        /** @type {Map<number, {private: Uint8Array, public: Uint8Array}>} */
        this.preKeys = new Map()
        this.nextPreKey = 1
        /** @type {Map<string, any>} */
        this.sessions = new Map()
        /** @type {Map<string, any>} */
        this.senderKeys = new Map()
        /** Peers that have answered in the session that we began. @type {Set<string>} */
        this.answered = new Set()
        /** How many sender keys this device had for a group. @type {Map<string, number>} */
        this.rotations = new Map()
        this.store = this.#store()
    }

    #store() {
        return {
            loadSession: async (/** @type {string} */ id) => this.sessions.get(id),
            storeSession: async (/** @type {string} */ id, /** @type {any} */ record) => {
                this.sessions.set(id, record)
            },
            isTrustedIdentity: () => true,
            loadPreKey: async (/** @type {number} */ id) => {
                const pair = this.preKeys.get(Number(id))
                return pair && libsignalPair(pair)
            },
            removePreKey: (/** @type {number} */ id) => this.preKeys.delete(Number(id)),
            loadSignedPreKey: () => libsignalPair(this.signedPreKey.keyPair),
            getOurRegistrationId: () => this.registrationId,
            getOurIdentity: () => libsignalPair(this.identity),
            loadSenderKey: async (/** @type {SenderKeyName} */ name) =>
                this.senderKeys.get(name.toString()) ?? new SenderKeyRecord(),
            storeSenderKey: async (/** @type {SenderKeyName} */ name, /** @type {any} */ record) => {
                this.senderKeys.set(name.toString(), record)
            }
        }
    }

    /** What the server hands out so that others can start a session, with a fresh one-time key. */
    publish() {
        const keyId = this.nextPreKey++
        const pair = Curve.generateKeyPair()
        this.preKeys.set(keyId, pair)
        const { signedPreKey } = this
        return [
            node('registration', {}, encodeBigEndian(this.registrationId)),
            node('type', {}, KEY_BUNDLE_TYPE),
            node('identity', {}, this.identity.public),
            node('skey', {}, [
                node('id', {}, encodeBigEndian(signedPreKey.keyId, 3)),
                node('value', {}, signedPreKey.keyPair.public),
                node('signature', {}, signedPreKey.signature)
            ]),
            node('key', {}, [node('id', {}, encodeBigEndian(keyId, 3)), node('value', {}, pair.public)])
        ]
    }

    /** @param {string} peer */
    hasSession(peer) {
        return Boolean(this.sessions.get(peer)?.haveOpenSession())
    }

    /** @param {string} peer @param {Bundle} bundle */
    async startSession(peer, bundle) {
        this.answered.delete(peer)
        await new libsignal.SessionBuilder(this.store, address(peer)).initOutgoing(bundle)
    }

    /**
     * Encrypt. As in Signal, every message is a `pkmsg` until the peer has answered, so that their order does not
     * matter; here a receipt is an answer.
     * @param {string} peer @param {Uint8Array} plaintext
     * @returns {Promise<{type: 'pkmsg' | 'msg', ciphertext: Buffer}>}
     */
    async encrypt(peer, plaintext) {
        const cipher = new libsignal.SessionCipher(this.store, address(peer))
        if (this.answered.has(peer)) delete this.sessions.get(peer).getOpenSession()?.pendingPreKey
        const { type, body } = await cipher.encrypt(Buffer.from(plaintext))
        return { type: type === 3 ? 'pkmsg' : 'msg', ciphertext: Buffer.from(body, 'binary') }
    }

    /** @param {string} peer @param {string} type @param {Uint8Array} ciphertext @returns {Promise<Buffer>} */
    async decrypt(peer, type, ciphertext) {
        const cipher = new libsignal.SessionCipher(this.store, address(peer))
        const bytes = Buffer.from(ciphertext)
        return type === 'pkmsg' ? cipher.decryptPreKeyWhisperMessage(bytes) : cipher.decryptWhisperMessage(bytes)
    }

    /** @param {string} group @param {string} sender */
    #senderKey(group, sender) {
        return new SenderKeyName(group, address(sender))
    }

    /** The key others need to read what `encryptForGroup` makes. @param {string} group @param {string} self */
    async distribution(group, self) {
        const message = await new GroupSessionBuilder(this.store).create(this.#senderKey(group, self))
        return message.serialize()
    }

    /** Somebody left: what is written from now on is under a new key. @param {string} group @param {string} self */
    rotate(group, self) {
        this.senderKeys.delete(this.#senderKey(group, self).toString())
        this.rotations.set(group, this.rotation(group) + 1)
    }

    /** @param {string} group */
    rotation(group) {
        return this.rotations.get(group) ?? 0
    }

    /** @param {string} group @param {string} self @param {Uint8Array} plaintext */
    async encryptForGroup(group, self, plaintext) {
        return Buffer.from(await new GroupCipher(this.store, this.#senderKey(group, self)).encrypt(plaintext))
    }

    /** @param {string} group @param {string} sender @param {Uint8Array} distribution */
    async learnSenderKey(group, sender, distribution) {
        const message = new SenderKeyDistributionMessage(null, null, null, null, distribution)
        await new GroupSessionBuilder(this.store).process(this.#senderKey(group, sender), message)
    }

    /** @param {string} group @param {string} sender @param {Uint8Array} ciphertext */
    async decryptForGroup(group, sender, ciphertext) {
        return new GroupCipher(this.store, this.#senderKey(group, sender)).decrypt(ciphertext)
    }
}
