/** A linked device: the real client under test, as the server knows it. */
import { generateSignalPubKey } from 'baileys'
import { Queue } from './queue.js'
import { child, childBytes, childNumber, children } from './nodes.js'

/** @typedef {import('baileys').BinaryNode} BinaryNode */
/** @typedef {import('./endpoint.js').Bundle} Bundle */

/** @param {BinaryNode | undefined} skey @returns {Bundle['signedPreKey'] | undefined} */
function readSignedPreKey(skey) {
    const publicKey = childBytes(skey, 'value')
    const signature = childBytes(skey, 'signature')
    const keyId = childNumber(skey, 'id')
    if (!publicKey || !signature || keyId === undefined) return undefined
    return { keyId, publicKey: generateSignalPubKey(publicKey), signature }
}

/** @param {BinaryNode | undefined} key @returns {Bundle['preKey']} */
function readPreKey(key) {
    const publicKey = childBytes(key, 'value')
    const keyId = childNumber(key, 'id')
    return publicKey && keyId !== undefined ? { keyId, publicKey: generateSignalPubKey(publicKey) } : undefined
}

export class Companion {
    /**
     * @param {import('./person.js').Person} owner
     * @param {number} number
     * @param {import('baileys').proto.ClientPayload.IDevicePairingRegistrationData} registration
     * @param {Uint8Array} noiseKey
     */
    constructor(owner, number, registration, noiseKey) {
        const { eRegid, eIdent, eSkeyId, eSkeyVal, eSkeySig } = registration
        if (!eRegid || !eIdent || !eSkeyId || !eSkeyVal || !eSkeySig) throw new Error('incomplete registration')
        this.owner = owner
        this.number = number
        this.noiseKey = Buffer.from(noiseKey)
        this.registrationId = Buffer.from(eRegid).readUInt32BE()
        this.identityKey = Buffer.from(eIdent)
        /** @type {Bundle['signedPreKey']} */
        this.signedPreKey = {
            keyId: Buffer.from(eSkeyId).readUIntBE(0, 3),
            publicKey: generateSignalPubKey(eSkeyVal),
            signature: Buffer.from(eSkeySig)
        }
        /** @type {Map<number, Uint8Array>} */
        this.preKeys = new Map()
        this.queue = new Queue()
        /** @type {import('./connection.js').Connection | undefined} */
        this.connection = undefined
        /** Sent messages by id, to be sent again when a retry is asked for. @type {Map<string, any>} */
        this.sent = new Map()
        /** What the device told us, in order. @type {Record<string, unknown>[]} */
        this.heard = []
        /** Messages the device sent, decrypted. @type {Record<string, unknown>[]} */
        this.written = []
        this.work = Promise.resolve()
    }

    /** How Signal endpoints address this device. */
    get address() {
        return `${this.owner.number}.${this.number}`
    }

    get jid() {
        return this.owner.pn(this.number)
    }

    /** Encrypt and queue one thing at a time, or order on the wire and in the ratchet would differ.
     * @template T @param {() => Promise<T>} job @returns {Promise<T>} */
    serially(job) {
        const done = this.work.then(job)
        this.work = done.then(() => {}, () => {})
        return done
    }

    /** @param {BinaryNode} iq an `encrypt` set */
    storeKeys(iq) {
        const signed = readSignedPreKey(child(iq, 'skey') ?? child(child(iq, 'rotate'), 'skey'))
        if (signed) this.signedPreKey = signed
        const list = child(iq, 'list')
        for (const key of list ? children(list) : []) {
            const preKey = readPreKey(key)
            if (preKey) this.preKeys.set(preKey.keyId, preKey.publicKey)
        }
    }

    /** Take a bundle; its one-time key is used up. Without any left the session rests on the signed key alone.
     * @returns {Bundle} */
    takeBundle() {
        const next = this.preKeys.entries().next()
        const preKey = next.done ? undefined : { keyId: next.value[0], publicKey: next.value[1] }
        if (preKey) this.preKeys.delete(preKey.keyId)
        return {
            registrationId: this.registrationId,
            identityKey: generateSignalPubKey(this.identityKey),
            signedPreKey: this.signedPreKey,
            preKey
        }
    }

    /** The bundle inside a retry receipt, if any. @param {BinaryNode} receipt @returns {Bundle | undefined} */
    bundleFromRetry(receipt) {
        const keys = child(receipt, 'keys')
        const identity = childBytes(keys, 'identity')
        const signedPreKey = readSignedPreKey(child(keys, 'skey'))
        if (!identity || !signedPreKey) return undefined
        return {
            registrationId: childNumber(receipt, 'registration') ?? this.registrationId,
            identityKey: generateSignalPubKey(identity),
            signedPreKey,
            preKey: readPreKey(child(keys, 'key'))
        }
    }
}
