//! Workflow records, by the same rules as the real ones.

use durable_testing::effect;
use workflows::ports::{
    AuditEntry, BoxFuture, Change, KeyClaim, ListQuery, NewRecord, Page, Records, StoreError, WorkflowId,
    WorkflowRecord,
};

use super::{Memory, State};

impl Records for Memory {
    fn create(&self, record: NewRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("record created");
            self.state().create(record);
            self.answered(())
        })
    }

    fn create_once(
        &self,
        record: NewRecord,
        _key: String,
        _digest: String,
    ) -> BoxFuture<'_, Result<KeyClaim, StoreError>> {
        Box::pin(async move {
            self.state().create(record);
            Ok(KeyClaim::New)
        })
    }

    fn apply(&self, change: Change) -> BoxFuture<'_, Result<WorkflowRecord, StoreError>> {
        Box::pin(async move {
            let to = change.to.map_or_else(String::new, |status| format!(" to {status}"));
            effect(format!("record changed{to} by {}", change.who));
            let changed = self.state().apply(change)?;
            self.answered(changed)
        })
    }

    fn get(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<WorkflowRecord>, StoreError>> {
        Box::pin(async move { Ok(self.state().records.get(&id).cloned()) })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let is_wanted = |record: &&WorkflowRecord| query.status.is_none_or(|it| it == record.status);
            Ok(Page {
                records: state.records.values().filter(is_wanted).cloned().collect(),
                next_cursor: None,
            })
        })
    }

    fn audit(&self, id: WorkflowId) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            Ok(state.audit.iter().filter(|(of, _)| *of == id).map(|(_, entry)| entry.clone()).collect())
        })
    }
}

impl State {
    fn create(&mut self, new: NewRecord) {
        if self.records.contains_key(&new.id) {
            return;
        }
        let record = WorkflowRecord::initial(new, self.now());
        let entry =
            AuditEntry { at: record.created_at, who: "api".to_owned(), from: None, to: record.status };
        self.audit.push((record.id.clone(), entry));
        self.records.insert(record.id.clone(), record);
    }

    fn apply(&mut self, change: Change) -> Result<WorkflowRecord, StoreError> {
        let (id, who, now) = (change.id.clone(), change.who.to_owned(), self.now());
        let record = self.records.get_mut(&id).ok_or_else(|| StoreError::NotFound(format!("no {id}")))?;
        let before = record.status;
        *record = record.clone().changed(change, now)?;
        let record = record.clone();
        if before != record.status {
            self.audit.push((id, AuditEntry { at: now, who, from: Some(before), to: record.status }));
        }
        Ok(record)
    }
}
