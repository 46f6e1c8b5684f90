-- The records database of one machine: what DynamoDB, EventBridge and SQS hold in the cloud.

CREATE TABLE workflows (
    id           TEXT PRIMARY KEY,
    input        TEXT NOT NULL,             -- topic and parameters, JSON
    status       TEXT NOT NULL,
    current_step TEXT,
    created_at   INTEGER NOT NULL,          -- all times: milliseconds since the Unix epoch
    updated_at   INTEGER NOT NULL,
    approval     TEXT,                      -- callback id and review URL, JSON
    comment      TEXT,
    report       TEXT,                      -- reference, URL and length, JSON
    error        TEXT
) STRICT;
-- Lists are newest first, with or without a status.
CREATE INDEX workflows_by_age ON workflows (created_at DESC, id DESC);
CREATE INDEX workflows_by_status ON workflows (status, created_at DESC, id DESC);

CREATE TABLE completed_steps (
    seq          INTEGER PRIMARY KEY,
    workflow_id  TEXT NOT NULL REFERENCES workflows (id),
    name         TEXT NOT NULL,
    completed_at INTEGER NOT NULL,
    summary      TEXT NOT NULL,
    -- A step runs at least once but is on record at most once.
    UNIQUE (workflow_id, name)
) STRICT;

-- Append-only.
CREATE TABLE status_audit (
    seq         INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    at          INTEGER NOT NULL,
    who         TEXT NOT NULL,
    from_status TEXT,
    to_status   TEXT NOT NULL
) STRICT;
CREATE INDEX status_audit_of_workflow ON status_audit (workflow_id, seq);

CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY,
    digest      TEXT NOT NULL,              -- of the request that came first
    workflow_id TEXT NOT NULL REFERENCES workflows (id)
) STRICT;

CREATE TABLE callback_routes (
    token       TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    phase       TEXT NOT NULL
) STRICT;

CREATE TABLE callback_results (
    token      TEXT PRIMARY KEY,            -- the first outcome of a token stands
    outcome    TEXT NOT NULL,               -- result, reference or error, JSON
    digest     TEXT NOT NULL,
    delivery   TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
-- For the removal of what has expired.
CREATE INDEX callback_results_by_expiry ON callback_results (expires_at);

-- Append-only.
CREATE TABLE callback_history (
    seq         INTEGER PRIMARY KEY,
    request_id  TEXT NOT NULL UNIQUE,
    token       TEXT NOT NULL,              -- redacted
    workflow_id TEXT,
    status      TEXT NOT NULL,
    answer      TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX callback_history_of_workflow ON callback_history (workflow_id, seq);

CREATE TABLE dead_letters (
    id          TEXT PRIMARY KEY,
    token       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    redriven_at INTEGER
) STRICT;

-- Append-only.
CREATE TABLE domain_events (
    seq         INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    kind        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (workflow_id, kind)
) STRICT;
