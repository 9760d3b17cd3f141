/**
 * The Flutter app's data layer in small: `node main.js HOST PORT PROJECT`.
 *
 * A line of standard input is `{id, as, do, about}`: `as` is the token of who is signed in, null for nobody; `do` is
 * one of the screens, `attempts`, `watch`, or `stop`, which ends the watch of the same id. Each is answered by a line
 * with the id and `answer`, `refused` (Firestore's code) or `failed`; a watch by a line for every change. The end of
 * its input is the end of it.
 */
import { createInterface } from 'node:readline'

import { setLogLevel } from '@firebase/firestore'

import { attempts } from './attempts.js'
import { clients } from './people.js'
import * as screens from './screens.js'

const [host, port, project] = process.argv.slice(2)
const clientOf = clients({ host, port: Number(port), project })
const { watch, ...asked } = { ...screens, attempts }
const watching = new Map()

setLogLevel('silent') // what is refused is told as an answer

function say(line) {
    process.stdout.write(`${JSON.stringify(line)}\n`)
}

function sayWrong(id, error) {
    say(error.code ? { id, refused: error.code } : { id, failed: String(error) })
}

async function obey({ id, as, do: action, about }) {
    if (action === 'stop') {
        watching.get(id)?.()
        say({ id, answer: 'stopped' })
    } else if (action === 'watch') {
        const told = { onChange: (answer) => say({ id, answer }), onRefused: (error) => sayWrong(id, error) }
        watching.set(id, watch(clientOf(as), about, told))
    } else say({ id, answer: await asked[action](clientOf(as), about) })
}

for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    obey(request).catch((error) => sayWrong(request.id, error))
}
process.exit(0)
