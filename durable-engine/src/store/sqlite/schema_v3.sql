-- Version 3 of the schema: pauses, traces, and numbers that are not given again when the newest execution is removed.

ALTER TABLE executions ADD COLUMN pauses       TEXT; -- JSON; NULL when there was none
ALTER TABLE executions ADD COLUMN trace_header TEXT;

-- One row.
CREATE TABLE removed (
    last_key INTEGER NOT NULL -- the largest number of an execution that was removed
) STRICT;
INSERT INTO removed (last_key) VALUES (0);
