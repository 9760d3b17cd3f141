/** Everything by which a client could change or delete something. None of it may succeed. */
import { addDoc, collection, deleteDoc, doc, setDoc, updateDoc } from '@firebase/firestore'

const HOW = {
    set: (db, path) => setDoc(doc(db, path), { accountId: 'mine' }),
    merge: (db, path) => setDoc(doc(db, path), { accountId: 'mine' }, { merge: true }),
    update: (db, path) => updateDoc(doc(db, path), { accountId: 'mine' }),
    delete: (db, path) => deleteDoc(doc(db, path)),
    add: (db, path) => addDoc(collection(db, path.split('/').slice(0, -1).join('/')), { accountId: 'mine' })
}

/** Tries all of it on each path: what was said to each try, as `[how, path, said]`. */
export async function attempts(db, { paths }) {
    const tries = paths.flatMap((path) => Object.keys(HOW).map((how) => [how, path]))
    return { tries: await Promise.all(tries.map(async ([how, path]) => [how, path, await said(HOW[how](db, path))])) }
}

const said = (attempt) =>
    attempt.then(
        () => 'done',
        (error) => error.code ?? String(error)
    )
