//! When a commit is worth waiting a moment for.
//!
//! A sync of the disk costs the same for one write and for twenty. Where few writes queue up while the disk syncs,
//! because each of them comes a long way (from another process, by HTTP), many invocations would still cost nearly one
//! sync each. So the writer waits a moment for more when many invocations run, as long as more do come.

use std::time::Duration;

/// A commit waits for the writes of one in so many invocations.
const SHARE: usize = 4;
/// More than this are never waited for: what a sync costs each of them is little by then.
const MOST: usize = 16;
/// The longest that a commit is put off while more writes come.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);
/// How long none may come before nobody is waited for any more.
pub(super) const SILENCE: Duration = Duration::from_millis(1);
/// How long the writer sleeps before it looks at its queue again: to be woken by each write would cost more.
pub(super) const NAP: Duration = Duration::from_micros(100);

/// Learns how many writes come within [`PATIENCE`].
#[derive(Debug)]
pub(super) struct Gathering {
    expected: usize,
}

impl Gathering {
    pub(super) const fn new() -> Self {
        Self { expected: 1 }
    }

    /// How many writes a commit waits for while so many invocations run; one, as long as few do.
    pub(super) fn wanted(&self, running: usize) -> usize {
        (running / SHARE).min(self.expected).max(1)
    }

    /// Takes note of how many came. Too few: the next commits wait for fewer, down to none at all, so that one execution
    /// that writes while others only run is not held up. More than expected, or as many as were waited for: the next
    /// ones wait for one more.
    pub(super) fn learn(&mut self, wanted: usize, gathered: usize) {
        if gathered < wanted {
            self.expected = (wanted / 2).max(1);
        } else if gathered > self.expected || (wanted > 1 && wanted == self.expected) {
            self.expected = (self.expected + 1).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_invocations_are_never_waited_for() {
        let mut gathering = Gathering::new();
        for _ in 0..100 {
            let wanted = gathering.wanted(2 * SHARE - 1);
            assert_eq!(wanted, 1);
            gathering.learn(wanted, wanted);
        }
    }

    #[test]
    fn many_that_write_are_waited_for_up_to_a_bound() {
        let mut gathering = Gathering::new();
        // Two came at once.
        gathering.learn(1, 2);
        for _ in 0..100 {
            let wanted = gathering.wanted(1_000);
            gathering.learn(wanted, wanted);
        }
        assert_eq!(gathering.wanted(1_000), MOST);
        assert_eq!(gathering.wanted(8 * SHARE), 8);
    }

    #[test]
    fn one_that_writes_while_many_run_is_soon_not_held_up() {
        let mut gathering = Gathering { expected: MOST };
        let mut waited = 0;
        for _ in 0..100 {
            let wanted = gathering.wanted(1_000);
            waited += u32::from(wanted > 1);
            gathering.learn(wanted, 1);
        }
        assert_eq!(waited, 4, "for 16, 8, 4 and 2");
    }
}
