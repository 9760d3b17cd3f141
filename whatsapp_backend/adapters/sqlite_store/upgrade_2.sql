-- From version 1 of whatsapp.sqlite3 to version 2.

-- Threads and contacts, by the paths of their documents.
DROP INDEX thread_dirty;
ALTER TABLE thread RENAME TO gathered;
CREATE INDEX gathered_dirty ON gathered (dirty) WHERE dirty;

-- Amendments that are in no document yet; without `due_at_ms` their message is not here.
CREATE TABLE waiting (
    path TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    state BLOB NOT NULL,
    due_at_ms INTEGER,
    touched_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX waiting_due ON waiting (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX waiting_age ON waiting (touched_at_ms);

CREATE TABLE unread (
    thread TEXT NOT NULL,
    message_hash BLOB NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    PRIMARY KEY (thread, message_hash)
) STRICT, WITHOUT ROWID;

-- Whose number a LID is. `united`: what was kept under the LID has been dealt with.
CREATE TABLE alias (
    account TEXT NOT NULL,
    lid TEXT NOT NULL,
    pn TEXT NOT NULL,
    evidence TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    united INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, lid)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_ununited ON alias (at_ms) WHERE NOT united;

-- Documents that name somebody by a LID whose number is not known.
CREATE TABLE nameless (
    account TEXT NOT NULL,
    lid TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (account, lid, path)
) STRICT, WITHOUT ROWID;

-- Messages that are owed to us, by the paths of their documents; closed ones stay to be counted.
CREATE TABLE debt (
    path TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    reason TEXT NOT NULL,
    key BLOB NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    next_at_ms INTEGER NOT NULL,
    closed TEXT,
    closed_at_ms INTEGER
) STRICT;
CREATE INDEX debt_due ON debt (account, next_at_ms) WHERE closed IS NULL;
CREATE INDEX debt_closed ON debt (closed_at_ms) WHERE closed IS NOT NULL;

-- Where messages lie that others put elsewhere than we would (the path we would choose, hashed; the document beside it).
-- Empty: at its own place, which is remembered only while its thread is surveyed.
CREATE TABLE adopted (
    path_hash BLOB PRIMARY KEY,
    document_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX adopted_plain ON adopted (path_hash) WHERE document_id = '';

-- How far the survey of an account's existing documents has come, and what it found.
CREATE TABLE survey (
    account TEXT PRIMARY KEY,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger (docs/coverage.md). An account's connections, and what is known of each thread, by its document's path.
CREATE TABLE epoch (
    account TEXT NOT NULL,
    number INTEGER NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    heard_at_ms INTEGER NOT NULL,
    caught_up_at_ms INTEGER,
    announced INTEGER,
    received INTEGER,
    closed_at_ms INTEGER,
    ending TEXT,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage (
    id INTEGER PRIMARY KEY,
    thread TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    jid TEXT NOT NULL,
    withdrawn INTEGER NOT NULL,
    gaps_ever INTEGER NOT NULL
) STRICT;

CREATE TABLE interval (
    coverage INTEGER NOT NULL,
    proof TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    start_id TEXT NOT NULL,
    end_ms INTEGER NOT NULL,
    end_id TEXT NOT NULL,
    PRIMARY KEY (coverage, proof, start_ms, start_id, end_ms, end_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE doubt (
    coverage INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (coverage, from_ms, until_ms, reason)
) STRICT, WITHOUT ROWID;

-- Messages of which only a placeholder is here.
CREATE TABLE owed (
    coverage INTEGER NOT NULL,
    ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (coverage, ms, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    coverage INTEGER NOT NULL,
    number INTEGER NOT NULL,
    account TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    below_ms INTEGER,
    below_id TEXT,
    above_ms INTEGER NOT NULL,
    above_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    closed_at_ms INTEGER,
    closed_by TEXT,
    cursor_ms INTEGER,
    cursor_id TEXT,
    tried INTEGER NOT NULL,
    rounds INTEGER NOT NULL,
    next_at_ms INTEGER NOT NULL,
    PRIMARY KEY (coverage, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX gap_open ON gap (account, above_ms) WHERE closed_at_ms IS NULL;
CREATE INDEX gap_closed ON gap (closed_at_ms) WHERE closed_at_ms IS NOT NULL;

-- One row per message for ever: what a gap is asked with, and what tells that a hole's other side was met.
CREATE TABLE held (
    coverage INTEGER NOT NULL,
    ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    from_me INTEGER NOT NULL,
    chat TEXT,
    epoch INTEGER,
    PRIMARY KEY (coverage, ms, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE asking (
    account TEXT PRIMARY KEY,
    unanswered INTEGER NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    paused_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chunk (
    account TEXT NOT NULL,
    sync_type INTEGER NOT NULL,
    place INTEGER NOT NULL,
    progress INTEGER,
    failed INTEGER NOT NULL,
    PRIMARY KEY (account, sync_type, place)
) STRICT, WITHOUT ROWID;
