/** Every op by its name. What each takes and gives is in README.md. */
import { FAULT_OPS } from './faults.js'
import { GROUP_OPS } from './groups.js'
import { HISTORY_OPS } from './history.js'
import { MESSAGE_OPS } from './messages.js'
import { PEOPLE_OPS } from './people.js'
import { RECORD_OPS } from './records.js'
import { TOLD_OPS } from './told.js'

/** @typedef {(server: import('../server.js').FakeWhatsApp, args: Record<string, any>) => unknown} Op */

/** @type {Record<string, Op>} */
export const OPS = {
    ...PEOPLE_OPS, ...GROUP_OPS, ...MESSAGE_OPS, ...TOLD_OPS, ...HISTORY_OPS, ...FAULT_OPS, ...RECORD_OPS
}
