//! Workflow records, by the same rules as the real ones.

use durable_testing::effect;
use workflows::{
    ports::{
        AuditEntry, BoxFuture, Change, KeyClaim, ListQuery, NewRecord, Page, Records, StoreError, WorkflowId,
        WorkflowRecord,
    },
    research::Status,
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
        let now = self.now();
        let entry = AuditEntry { at: now, who: "api".to_owned(), from: None, to: Status::Initializing };
        self.audit.push((new.id.clone(), entry));
        let record = WorkflowRecord {
            id: new.id.clone(),
            input: new.input,
            status: Status::Initializing,
            current_step: None,
            created_at: now,
            updated_at: now,
            steps_completed: Vec::new(),
            approval: None,
            comment: None,
            report: None,
            error: None,
        };
        self.records.insert(new.id, record);
    }

    fn apply(&mut self, change: Change) -> Result<WorkflowRecord, StoreError> {
        let now = self.now();
        let id = change.id;
        let record = self.records.get_mut(&id).ok_or_else(|| StoreError::NotFound(format!("no {id}")))?;
        let before = record.status;
        let next = change.to.unwrap_or(before);
        let is_refused = !before.may_become(next)
            || (change.to.is_none() && before.is_terminal())
            || change.only_at.is_some_and(|step| record.current_step.as_deref() != Some(step));
        if is_refused {
            return Err(StoreError::Conflict(format!("{id} is {before}")));
        }
        record.status = next;
        record.updated_at = now;
        record.current_step =
            if next.is_terminal() { None } else { change.current_step.or(record.current_step.take()) };
        for step in change.completed {
            if record.steps_completed.iter().all(|known| known.name != step.name) {
                record.steps_completed.push(step);
            }
        }
        record.approval = change.approval.or(record.approval.take());
        record.comment = change.comment.or(record.comment.take());
        record.report = change.report.or(record.report.take());
        record.error = change.error.or(record.error.take());
        let record = record.clone();
        if before != next {
            let entry = AuditEntry { at: now, who: change.who.to_owned(), from: Some(before), to: next };
            self.audit.push((id, entry));
        }
        Ok(record)
    }
}
