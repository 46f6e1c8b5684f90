//! Callback results, their history, the dead letters and their queue.

use durable_runtime::protocol::Timestamp;
use durable_testing::effect;
use workflows::ports::{
    BoxFuture, Callbacks, DeadLetter, DeadLetterQueue, Delivery, HistoryEntry, Kept, NewCallback, Route,
    StoreError, Stored, StoredCallback, Unstored, WorkflowId,
};

use super::Memory;

impl Callbacks for Memory {
    fn register(&self, token: String, route: Route) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("token registered");
            self.state().routes.entry(token).or_insert(route);
            self.answered(())
        })
    }

    fn route(&self, token: String) -> BoxFuture<'_, Result<Option<Route>, StoreError>> {
        Box::pin(async move { Ok(self.state().routes.get(&token).cloned()) })
    }

    fn store(&self, callback: NewCallback) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(async move {
            effect("result stored");
            let mut state = self.state();
            state.room()?;
            let stored = match state.results.get(&callback.token) {
                Some((known, delivery)) if known.digest == callback.digest => Stored::Repeated(*delivery),
                Some(_) => Stored::Contradicts,
                None => {
                    state.results.insert(callback.token.clone(), (callback, Delivery::Pending));
                    Stored::New
                }
            };
            drop(state);
            self.answered(stored)
        })
    }

    fn stored(&self, token: String) -> BoxFuture<'_, Result<Option<StoredCallback>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let stored = state.results.get(&token);
            Ok(stored.map(|(callback, delivery)| StoredCallback {
                token,
                outcome: callback.outcome.clone(),
                delivery: *delivery,
            }))
        })
    }

    fn mark(&self, token: String, delivery: Delivery) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("result marked");
            if let Some((_, marked)) = self.state().results.get_mut(&token) {
                *marked = delivery;
            }
            self.answered(())
        })
    }

    fn append_history(&self, entry: HistoryEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("history appended");
            let mut state = self.state();
            if state.history.iter().all(|known| known.request_id != entry.request_id) {
                state.history.push(entry);
            }
            drop(state);
            self.answered(())
        })
    }

    fn history(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<HistoryEntry>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let of_workflow = |it: &&HistoryEntry| it.workflow_id.as_ref() == Some(&workflow_id);
            Ok(state.history.iter().filter(of_workflow).cloned().collect())
        })
    }

    fn bury(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("dead letter");
            let mut state = self.state();
            state.room()?;
            if state.letters.iter().all(|known| known.id != letter.id) {
                state.letters.push(letter);
            }
            drop(state);
            self.answered(())
        })
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(async move { Ok(self.state().letters.clone()) })
    }

    fn redriven(&self, id: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.state().letters.retain(|letter| letter.id != id);
            Ok(())
        })
    }

    fn purge_expired(&self, now: Timestamp) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let before = state.results.len();
            state.results.retain(|_, (callback, _)| callback.expires_at > now);
            Ok(before - state.results.len())
        })
    }
}

impl DeadLetterQueue for Memory {
    fn keep(&self, callback: Unstored) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            effect("callback set aside");
            let mut state = self.state();
            state.kept.retain(|known| known.id != callback.id);
            state.kept.push(callback);
            drop(state);
            self.answered(())
        })
    }

    fn kept(&self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        Box::pin(async move {
            let kept = self.state().kept.clone().into_iter();
            Ok(kept.map(|callback| Kept { receipt: callback.id.clone(), callback }).collect())
        })
    }

    fn release(&self, receipt: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.state().kept.retain(|known| known.id != receipt);
            self.answered(())
        })
    }
}
