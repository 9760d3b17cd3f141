/**
 * The TEST root that signs the fake server's certificates. It is public on purpose and must never be trusted by
 * anything but a client that talks to a fake server on the loopback interface (see preload.js).
 */
import { Curve, proto } from 'baileys'

const TEST_ROOT_PRIVATE = '30222decb709f85f8036b3e8c4dcc3526c7beff24f538b7fee0102486d17aa6c'
export const TEST_ROOT_PUBLIC = '7b75134928d93e6dd736850732302913a9e3051f414003f8bc022e409d8c5c3c'
const TEN_YEARS_S = 10 * 365 * 24 * 3600

/**
 * The chain that vouches for the server's static key.
 * @param {Uint8Array} staticPublic
 * @returns {Uint8Array}
 */
export function certificateChain(staticPublic) {
    const intermediate = Curve.generateKeyPair()
    const now = Math.floor(Date.now() / 1000)
    const validity = { notBefore: now - 3600, notAfter: now + TEN_YEARS_S }
    const { CertChain } = proto
    /** @param {proto.CertChain.NoiseCertificate.IDetails} details */
    const encoded = details => CertChain.NoiseCertificate.Details.encode({ ...details, ...validity }).finish()
    const middle = encoded({ serial: 1, issuerSerial: 0, key: intermediate.public })
    const leaf = encoded({ serial: 2, issuerSerial: 1, key: staticPublic })
    const root = Buffer.from(TEST_ROOT_PRIVATE, 'hex')
    return CertChain.encode({
        intermediate: { details: middle, signature: Curve.sign(root, middle) },
        leaf: { details: leaf, signature: Curve.sign(intermediate.private, leaf) }
    }).finish()
}
