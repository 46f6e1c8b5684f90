-- Version 1 of the schema. Timestamps are milliseconds since the Unix epoch.

-- One row for each execution. A checkpoint in the middle of an invocation does not touch it.
CREATE TABLE executions (
    key                   INTEGER PRIMARY KEY, -- in order of creation; part of ids, so that no index is needed for them
    id                    TEXT    NOT NULL,
    function              TEXT    NOT NULL,
    name                  TEXT    NOT NULL,
    tenant                TEXT,
    status                TEXT    NOT NULL,
    started_at            INTEGER NOT NULL,
    ended_at              INTEGER,
    timeout_seconds       INTEGER NOT NULL,
    invocation            TEXT,                -- the running invocation
    invocation_started_at INTEGER,
    owed_at               INTEGER,             -- an invocation is owed from then on
    due_at                INTEGER,             -- when to look again; 0 while an invocation runs
    failures              INTEGER NOT NULL,
    updated               TEXT,                -- JSON array of operation ids
    parent                INTEGER,             -- the execution that waits for this one
    parent_operation      TEXT,
    parent_owed           INTEGER NOT NULL,
    error                 TEXT,                -- JSON
    result                TEXT
) STRICT;

-- Starting by name is idempotent; executions are also looked up by their bare name.
CREATE UNIQUE INDEX executions_by_name ON executions (name, function);

-- The scheduler asks, for each registered function, what is due next, and at start-up which invocations
-- were running.
CREATE INDEX executions_due ON executions (function, due_at, key) WHERE due_at IS NOT NULL;

-- The current state of each operation; position 0 is the execution itself.
CREATE TABLE operations (
    execution INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    data      TEXT    NOT NULL,                -- the operation as JSON, without its payload
    timer     TEXT,                            -- JSON: time limits of an open callback
    payload   TEXT,
    PRIMARY KEY (execution, position)
) STRICT, WITHOUT ROWID;

-- The history, append-only.
CREATE TABLE events (
    execution    INTEGER NOT NULL,
    event_id     INTEGER NOT NULL,
    data         TEXT    NOT NULL,             -- the event as JSON, without its payload
    payload_home INTEGER,                      -- position of the operation that has the payload; -1: the execution's result
    payload      TEXT,
    PRIMARY KEY (execution, event_id)
) STRICT, WITHOUT ROWID;
