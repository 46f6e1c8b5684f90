-- Version 2 of the schema: executions keep the region of their ARN, whatever the engine's region becomes.

ALTER TABLE executions ADD COLUMN region TEXT NOT NULL DEFAULT 'local';
