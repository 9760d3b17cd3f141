-- Version 1 of whatsapp.sqlite3. A change to what is here is a new user_version and a way to get there.

CREATE TABLE account (
    account TEXT PRIMARY KEY,
    phone TEXT NOT NULL,
    name TEXT NOT NULL,
    server TEXT,
    created_at_ms INTEGER NOT NULL,
    stopped TEXT
) STRICT, WITHOUT ROWID;

-- SQLite has no checksums of its own: a flipped bit in a private key would otherwise go unnoticed until WhatsApp says 401.
CREATE TABLE creds (
    account TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key (
    account TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, type, id)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a seq is never used again, not even that of a pruned entry at the end.
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    payload BLOB,
    problem TEXT,
    form TEXT,
    raw BLOB,
    envelope BLOB
) STRICT;
CREATE UNIQUE INDEX entry_source ON entry (account, source, kind);
CREATE INDEX entry_age ON entry (received_at_ms);

-- History notices that are open or parked; `seq` is their entry.
CREATE TABLE notice (
    seq INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX notice_source ON notice (account, source);

-- One row per message for ever, so it is as small as it can be: both columns are 16 bytes.
CREATE TABLE mirror (
    path_hash BLOB PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The merge states that have not aged out. Apart from `mirror`, whose pages they would spread thin.
CREATE TABLE mirror_state (
    path_hash BLOB PRIMARY KEY,
    touched_at_ms INTEGER NOT NULL,
    updated_at_ns INTEGER,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mirror_state_age ON mirror_state (touched_at_ms);

CREATE TABLE thread (
    path TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    state BLOB NOT NULL,
    updated_at_ns INTEGER,
    dirty INTEGER NOT NULL
) STRICT;
CREATE INDEX thread_dirty ON thread (dirty) WHERE dirty;

CREATE TABLE consumer (
    consumer TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    consumer TEXT NOT NULL,
    seq INTEGER NOT NULL,
    part INTEGER NOT NULL,
    account TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (consumer, seq, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_seq ON parked (seq);

-- Counts that would take a scan: `opened` times this file was opened, `pruned` entries dropped. Seqs have no holes but those.
CREATE TABLE tally (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES ('opened', 0), ('pruned', 0);
