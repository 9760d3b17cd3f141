/** Documents of the SDK as JSON. A Timestamp stays recognisable as one: the app orders by it, a text it could not. */
import { Timestamp } from '@firebase/firestore'

export const plain = (snapshot) => ({ id: snapshot.id, path: snapshot.ref.path, fields: value(snapshot.data()) })

function value(given) {
    if (given instanceof Timestamp) return { timestampMs: given.toMillis() }
    if (Array.isArray(given)) return given.map(value)
    if (given === null || typeof given !== 'object') return given
    return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, value(each)]))
}
