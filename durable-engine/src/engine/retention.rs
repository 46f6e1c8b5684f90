//! The end of what has ended.

use durable_runtime::protocol::Timestamp;

use super::{Engine, EngineError};
use crate::{service::ExecutionKey, store::EndedQuery};

/// Executions in one transaction. Bounds how long a commit waits behind it.
const CHUNK: usize = 32;

impl Engine {
    /// Removes the executions that ended before `before`, with their histories: those of `function`, or of all
    /// functions, registered or not. Answers how many there were. Their names are free again, their ARNs lead
    /// nowhere, and the database file uses their room for what comes next; it does not shrink.
    ///
    /// Executions that run or wait stay, however old they are, and so does one whose parent has not heard of its
    /// end.
    ///
    /// # Errors
    ///
    /// The store failed. What was removed until then is gone; call it again for the rest.
    pub async fn purge_ended(&self, function: Option<&str>, before: Timestamp) -> Result<usize, EngineError> {
        let mut beyond = ExecutionKey::new(0);
        let mut removed = 0;
        loop {
            let query = EndedQuery { function: function.map(str::to_owned), before, beyond, limit: CHUNK };
            let keys = self.core.store.ended(query).await?;
            let Some(last) = keys.last() else { return Ok(removed) };
            beyond = *last;
            removed += keys.len();
            self.core.store.remove(keys).await?;
        }
    }
}
