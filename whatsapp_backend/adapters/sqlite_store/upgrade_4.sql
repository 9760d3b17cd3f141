-- Accounts on which no run begins by itself until a moment.
CREATE TABLE pause (
    account TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
