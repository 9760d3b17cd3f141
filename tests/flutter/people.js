/** Who is signed in: one client a person, as each has the app on a phone of his own. */
import { initializeApp } from '@firebase/app'
import { connectFirestoreEmulator, getFirestore } from '@firebase/firestore'

export function clients({ host, port, project }) {
    const known = new Map()
    return (token) => {
        const name = JSON.stringify(token ?? null)
        if (!known.has(name)) {
            const db = getFirestore(initializeApp({ projectId: project, apiKey: 'none' }, name))
            connectFirestoreEmulator(db, host, port, token ? { mockUserToken: token } : {})
            known.set(name, db)
        }
        return known.get(name)
    }
}
