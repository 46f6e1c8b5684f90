//! The `durable` command.
