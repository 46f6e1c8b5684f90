//! One after the other, by name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

/// Gives turns: of all that have the same name, one has it at a time.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// The right to go on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    name: String,
    turns: Arc<Turns>,
    /// Only in `drop` it is none.
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Ready when all that asked before with this name are done.
    pub(crate) async fn next(self: &Arc<Self>, name: &str) -> Turn {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let known = queues.get(name).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let queue = Arc::default();
                queues.insert(name.to_owned(), Arc::downgrade(&queue));
                queue
            })
        };
        let guard = Some(queue.lock_owned().await);
        Turn { name: name.to_owned(), turns: Arc::clone(self), guard }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Within the lock of the map: nobody finds a queue that is about to go.
        let mut queues = self.turns.queues.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.guard.take());
        if queues.get(&self.name).is_some_and(|queue| queue.strong_count() == 0) {
            queues.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_name_has_a_queue_of_its_own_as_long_as_it_is_used() {
        let turns = Arc::new(Turns::default());
        let first = turns.next("a").await;
        let other = turns.next("b").await;
        let second = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.next("a").await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(turns.queues.lock().unwrap().len(), 2);
        drop((second, other));
        assert!(turns.queues.lock().unwrap().is_empty());
    }
}
