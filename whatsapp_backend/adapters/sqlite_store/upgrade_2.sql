-- From version 1 of whatsapp.sqlite3 to version 2.

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
