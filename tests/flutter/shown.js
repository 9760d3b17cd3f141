/** What the app makes of the documents before a person sees them: hiding, one of each, order. Pure. */

const BAD_ID = /\[ob[ij]ect Ob[ij]ect\]/
/** The app's last resort takes 1 s in one place and 5 s in another; the longer one hides more, so we must stand it. */
const BUCKET_MS = 5000

/** The threads of an inbox, last activity first. */
export const inbox = (documents) =>
    documents.filter((thread) => !isHidden(thread)).sort(newestFirst(['lastMessageAtMs', 'lastMessageAt', 'updatedAt']))

/** The messages of a chat, newest first. */
export const chat = (documents) =>
    onceEach(documents.filter(hasContent)).sort(newestFirst(['createdAtMs', 'tsClient', 'createdAt', 'tsServer']))

/** Where an old thread leads, or null. */
export const leadsTo = (thread) => nonEmpty(thread.fields.redirectTo) ?? nonEmpty(thread.fields.canonicalThreadId)

const isHidden = ({ id, fields }) =>
    Boolean(fields.hidden || fields.archived || nonEmpty(fields.redirectTo)) ||
    id.endsWith('@broadcast') ||
    BAD_ID.test(id)

const hasContent = ({ fields }) =>
    !fields.isDuplicate && Boolean(nonEmpty(fields.body) || fields.mediaUrl || hasEntries(fields.media))

const hasEntries = (media) => media !== null && typeof media === 'object' && Object.keys(media).length > 0

function onceEach(documents) {
    const seen = new Set()
    return documents.filter((message) => {
        const identity = identityOf(message)
        return !seen.has(identity) && seen.add(identity)
    })
}

function identityOf({ fields }) {
    for (const name of ['stableKeyHash', 'fingerprintHash', 'providerMessageId', 'waMessageId', 'clientMessageId'])
        if (nonEmpty(fields[name])) return `${name}:${fields[name]}`
    return JSON.stringify([fields.direction, fields.body, Math.floor((ms(fields.tsClient) ?? 0) / BUCKET_MS)])
}

/** By the first of the fields that a document has; one that has none counts as of now. */
const newestFirst = (names) => {
    const at = ({ fields }) => names.map((name) => ms(fields[name])).find((time) => time !== null) ?? Date.now()
    return (one, other) => at(other) - at(one)
}

/** Milliseconds of a time in any of the forms that three generations wrote. */
function ms(value) {
    if (typeof value === 'number') return value
    if (typeof value === 'string') return Number.isNaN(Date.parse(value)) ? null : Date.parse(value)
    return value?.timestampMs ?? null
}

const nonEmpty = (value) => (typeof value === 'string' && value.trim() !== '' ? value : null)
