/**
 * Silences the console. libsignal prints whole sessions, private keys included, and standard output belongs to the
 * frames. Must be evaluated before any library is: import it first and everything else dynamically.
 */
const METHODS = /** @type {const} */ ([
    'log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'dirxml', 'table', 'group', 'groupCollapsed', 'assert'
])

for (const method of METHODS) console[method] = () => {}
