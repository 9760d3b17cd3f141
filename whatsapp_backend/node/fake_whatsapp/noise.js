/** The responder's side of Noise_XX_25519_AESGCM_SHA256, and the transport that follows it. */
import { createHash } from 'node:crypto'
import { aesDecryptGCM, aesEncryptGCM, Curve, hkdf, NOISE_MODE, NOISE_WA_HEADER } from 'baileys'

const NOTHING = Buffer.alloc(0)

/** @param {number} counter */
function nonce(counter) {
    const iv = Buffer.alloc(12)
    iv.writeUInt32BE(counter, 8)
    return iv
}

/** @param {Uint8Array} input @param {Uint8Array} salt */
function twoKeys(input, salt) {
    const bytes = hkdf(Buffer.from(input), 64, { salt: Buffer.from(salt), info: '' })
    return [bytes.subarray(0, 32), bytes.subarray(32, 64)]
}

export class ServerNoise {
    /** @param {{private: Uint8Array, public: Uint8Array}} staticKey */
    constructor(staticKey) {
        this.staticKey = staticKey
        this.ephemeral = Curve.generateKeyPair()
        /** @type {Uint8Array} */
        this.hash = Buffer.from(NOISE_MODE)
        /** @type {Uint8Array} */
        this.salt = this.hash
        /** @type {Uint8Array} */
        this.key = this.hash
        this.counter = 0
        this.received = 0
        this.sent = 0
        /** @type {{in: Uint8Array, out: Uint8Array} | undefined} */
        this.transport = undefined
        this.#mixHash(NOISE_WA_HEADER)
    }

    /** @param {Uint8Array} data */
    #mixHash(data) {
        this.hash = createHash('sha256').update(this.hash).update(data).digest()
    }

    /** @param {Uint8Array} secret */
    #mixKey(secret) {
        [this.salt, this.key] = twoKeys(secret, this.salt)
        this.counter = 0
    }

    /** @param {Uint8Array} plaintext */
    #seal(plaintext) {
        const sealed = aesEncryptGCM(plaintext, this.key, nonce(this.counter++), this.hash)
        this.#mixHash(sealed)
        return sealed
    }

    /** @param {Uint8Array} sealed */
    #unseal(sealed) {
        const plaintext = aesDecryptGCM(sealed, this.key, nonce(this.counter++), this.hash)
        this.#mixHash(sealed)
        return plaintext
    }

    /**
     * Answer a client hello.
     * @param {Uint8Array} clientEphemeral
     * @param {Uint8Array} certificate
     */
    hello(clientEphemeral, certificate) {
        this.#mixHash(clientEphemeral)
        this.#mixHash(this.ephemeral.public)
        this.#mixKey(Curve.sharedKey(this.ephemeral.private, clientEphemeral))
        const staticSealed = this.#seal(this.staticKey.public)
        this.#mixKey(Curve.sharedKey(this.staticKey.private, clientEphemeral))
        return { ephemeral: this.ephemeral.public, static: staticSealed, payload: this.#seal(certificate) }
    }

    /**
     * Take the client's last handshake message and go over to the transport.
     * @param {Uint8Array} staticSealed
     * @param {Uint8Array} payloadSealed
     */
    finish(staticSealed, payloadSealed) {
        const clientStatic = this.#unseal(staticSealed)
        this.#mixKey(Curve.sharedKey(this.ephemeral.private, clientStatic))
        const payload = this.#unseal(payloadSealed)
        const [incoming, outgoing] = twoKeys(NOTHING, this.salt)
        this.transport = { in: incoming, out: outgoing }
        return { clientStatic, payload }
    }

    /** @param {Uint8Array} plaintext */
    encrypt(plaintext) {
        if (!this.transport) throw new Error('the handshake is not finished')
        return aesEncryptGCM(plaintext, this.transport.out, nonce(this.sent++), NOTHING)
    }

    /** @param {Uint8Array} sealed */
    decrypt(sealed) {
        if (!this.transport) throw new Error('the handshake is not finished')
        return aesDecryptGCM(sealed, this.transport.in, nonce(this.received++), NOTHING)
    }
}
