-- How many gaps of an account are in which state is asked for with every window.
CREATE INDEX gap_state ON gap (account, state);

-- A request to the phone and the gap it was for, as it was then. Kept before it is sent: its answer may come days later.
CREATE TABLE asked (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    anchor_ms INTEGER NOT NULL,
    anchor_id TEXT NOT NULL,
    count INTEGER NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    older INTEGER NOT NULL,
    coverage INTEGER NOT NULL,
    number INTEGER NOT NULL,
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
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- One run of one kind on one account. `told` is JSON text: whether it only plans, bounds, progress and results.
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    trigger TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    beat_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    told TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX job_of_account ON job (account, created_at_ms);
CREATE INDEX job_unfinished ON job (created_at_ms) WHERE ended_at_ms IS NULL;
CREATE INDEX job_age ON job (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

-- History that a dry run keeps out of the documents, and the documents that its entries would touch.
CREATE TABLE held_back (
    seq INTEGER PRIMARY KEY,
    account TEXT NOT NULL
) STRICT;

CREATE TABLE foreseen (
    path_hash BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    what TEXT NOT NULL,
    known INTEGER NOT NULL,
    written INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX foreseen_of ON foreseen (seq, what, known, written);

-- How far an account's threads have been looked through for what is wrong in them, and when that was done last.
CREATE TABLE repair (
    account TEXT PRIMARY KEY,
    after TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
