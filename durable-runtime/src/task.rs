//! Who is woken: one [`Task`] for the workflow's body and one for each concurrent branch.
//!
//! Operations of ours never clone a `std::task::Waker`; they register the [`Task`] they run on. So a clone
//! of a task's waker that is still alive when everything has come to rest belongs to a foreign future: one
//! that the history knows nothing about. See [`Task::has_foreign_waker`].

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use crate::sync::lock;

/// The link from the workflow's body to the future that drives it.
#[derive(Default)]
pub(crate) struct DriverWake {
    outer: Mutex<Option<Waker>>,
}

impl DriverWake {
    pub(crate) fn set(&self, waker: &Waker) {
        let mut outer = lock(&self.outer);
        if !outer.as_ref().is_some_and(|current| current.will_wake(waker)) {
            *outer = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        // Cloned first: the waker may run arbitrary code of the host's executor.
        let waker = lock(&self.outer).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The branches of one group that want to be polled.
pub(crate) struct ReadySet {
    ready: Mutex<Vec<usize>>,
    parent: Arc<Task>,
}

impl ReadySet {
    pub(crate) fn new(parent: Arc<Task>) -> Arc<Self> {
        Arc::new(Self { ready: Mutex::default(), parent })
    }

    /// The woken branches in index order, so that a poll visits them the same way every time.
    pub(crate) fn take(&self) -> Vec<usize> {
        let mut ready = std::mem::take(&mut *lock(&self.ready));
        ready.sort_unstable();
        ready
    }
}

enum Link {
    Root(Arc<DriverWake>),
    Branch { set: Arc<ReadySet>, index: usize },
}

/// One unit of polling.
pub(crate) struct Task {
    link: Link,
    queued: AtomicBool,
    shell: Shell,
}

/// Made once for each task; its strong count says how many wakers are about.
type Shell = Arc<WakerShell>;

struct WakerShell {
    task: Weak<Task>,
}

impl Wake for WakerShell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.task.upgrade() {
            task.wake();
        }
    }
}

impl Task {
    pub(crate) fn root(driver: Arc<DriverWake>) -> Arc<Self> {
        Self::new(Link::Root(driver))
    }

    pub(crate) fn branch(set: Arc<ReadySet>, index: usize) -> Arc<Self> {
        Self::new(Link::Branch { set, index })
    }

    fn new(link: Link) -> Arc<Self> {
        Arc::new_cyclic(|task| Self {
            link,
            // A new task wants its first poll.
            queued: AtomicBool::new(true),
            shell: Arc::new(WakerShell { task: task.clone() }),
        })
    }

    /// Asks for a poll; asking twice before it is the same as once.
    pub(crate) fn wake(&self) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        match &self.link {
            Link::Root(driver) => driver.wake(),
            Link::Branch { set, index } => {
                lock(&set.ready).push(*index);
                set.parent.wake();
            }
        }
    }

    /// True once for each time the task wants to be polled.
    pub(crate) fn take_wake(&self) -> bool {
        self.queued.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.queued.load(Ordering::Acquire)
    }

    /// The waker to poll with.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.shell))
    }

    /// True when somebody kept a clone of the waker. Meaningful only between polls, when ours is dropped.
    pub(crate) fn has_foreign_waker(&self) -> bool {
        Arc::strong_count(&self.shell) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Arc<Task> {
        let task = Task::root(Arc::default());
        task.take_wake();
        task
    }

    #[test]
    fn a_new_task_wants_one_poll_and_wakes_count_once() {
        let task = Task::root(Arc::default());
        assert!(task.take_wake() && !task.take_wake());
        task.wake();
        task.wake();
        assert!(task.is_woken() && task.take_wake() && !task.take_wake());
    }

    #[test]
    fn a_kept_clone_of_the_waker_is_foreign_and_still_works() {
        let task = root();
        let kept = {
            let ours = task.waker();
            assert!(task.has_foreign_waker(), "during the poll ours counts too");
            ours.clone()
        };
        assert!(task.has_foreign_waker());
        kept.wake();
        assert!(task.is_woken() && !task.has_foreign_waker());
    }

    #[test]
    fn woken_branches_come_in_index_order_and_wake_their_parent() {
        let parent = root();
        let set = ReadySet::new(Arc::clone(&parent));
        let branches: Vec<_> = (0..3).map(|index| Task::branch(Arc::clone(&set), index)).collect();
        for branch in &branches {
            branch.take_wake();
        }
        branches[2].wake();
        branches[0].wake();
        branches[2].wake();
        assert!(parent.take_wake());
        assert_eq!(set.take(), [0, 2]);
        assert!(set.take().is_empty());
    }
}
