import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

test('the server takes requests line by line and ends with its standard input', async t => {
    const child = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await lines.next()).value)
    const first = await next()
    assert.equal(first.event, 'listening')
    assert.match(first.url, /^ws:\/\/127\.0\.0\.1:\d+\/ws\/chat$/)
    child.stdin.write('{"id":1,"op":"person","args":{"phone":"15550002222"}}\nnot json\n{"id":3,"op":"nope"}\n')
    const answers = new Map()
    while (answers.size < 3) {
        const answer = await next()
        answers.set(answer.id, answer)
    }
    assert.equal(answers.get(1).result.lid, '88000000002222@lid')
    assert.equal(answers.get(null).ok, false)
    assert.deepEqual(answers.get(3), { id: 3, ok: false, error: 'unknown op: nope' })
    child.stdin.end()
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
})
