//! What time brings while steps run: a flush of what lingers, a refresh of what is due.

use std::{task::Context, time::Duration};

use super::Driver;
use crate::{core::RemoteWork, protocol::Timestamp, service::BoxFuture};

/// A callback or an invoke has no time of its own: while a step runs, the service is asked after 1 s, then
/// less and less often, as AWS's SDKs do.
pub(super) const FIRST_REFRESH: Duration = Duration::from_secs(1);
const SLOWEST_REFRESH: Duration = Duration::from_secs(10);
/// Refreshes keep this distance, so that a service whose clock is behind ours is not asked in a busy loop, and
/// what becomes due at about the same time is fetched by one call.
const REFRESH_DISTANCE: Duration = Duration::from_millis(200);
/// A time at which the driver has something to do although nothing woke it.
pub(super) struct Alarm {
    at: Timestamp,
    purpose: Purpose,
    sleep: BoxFuture<'static, ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Send what is queued, so that a long step becomes visible.
    Flush,
    /// Ask the service what has become due.
    Refresh,
}

impl Driver {
    /// Sets the alarm for the earliest thing that time will bring while steps run.
    pub(super) fn arm(&mut self, now: Timestamp, work: RemoteWork, lazy_updates: bool) {
        let options = &self.environment.options;
        let polling = work.untimed.then(|| now.after(self.backoff));
        let refresh = match (work.due, polling) {
            (Some(due), Some(polling)) => Some(due.min(polling)),
            (due, polling) => due.or(polling),
        };
        let refresh = refresh.map(|refresh| refresh.max(self.next_refresh));
        let flush = lazy_updates.then(|| now.after(options.linger));
        let wanted = match (refresh, flush) {
            (Some(refresh), Some(flush)) if flush < refresh => Some((flush, Purpose::Flush)),
            (None, Some(flush)) => Some((flush, Purpose::Flush)),
            (Some(refresh), _) => Some((refresh, Purpose::Refresh)),
            (None, None) => None,
        };
        let Some((at, purpose)) = wanted else { return self.alarm = None };
        // An alarm that rings earlier stays: "linger" counts from the first queued update.
        if self
            .alarm
            .as_ref()
            .is_none_or(|alarm| alarm.at > at || (alarm.purpose != purpose && alarm.at <= now))
        {
            self.alarm = Some(Alarm { at, purpose, sleep: self.environment.clock.sleep_until(at) });
        }
    }

    /// Acts when the alarm rings; true when there is something to do at once.
    pub(super) fn poll_alarm(&mut self, context: &mut Context<'_>) -> bool {
        if self.call.is_some() {
            return false;
        }
        let Some(alarm) = self.alarm.as_mut() else { return false };
        if alarm.sleep.as_mut().poll(context).is_pending() {
            return false;
        }
        let purpose = alarm.purpose;
        self.alarm = None;
        let updates = self.run.core().outbox.take_batch();
        if purpose == Purpose::Refresh {
            self.backoff = (self.backoff * 2).min(SLOWEST_REFRESH);
            self.next_refresh = self.environment.clock.now().after(REFRESH_DISTANCE);
        }
        self.checkpoint(updates);
        true
    }
}
