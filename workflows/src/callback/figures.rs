//! What is counted of a request once it is answered.

use std::time::Duration;

use super::Answer;
use crate::ports::Metric;

/// The figures of a request that was given this answer, this long after it arrived.
#[must_use]
pub fn measured(answer: &Answer, elapsed: Duration) -> Vec<Metric> {
    let mut metrics = vec![Metric::Received, Metric::Latency(elapsed)];
    match answer.status {
        400..=499 => metrics.push(Metric::ClientError),
        500.. => metrics.push(Metric::ServerError),
        _ if answer.is_delivery() => metrics.push(Metric::Delivered),
        _ => {}
    }
    metrics
}

#[cfg(test)]
mod tests {
    use durable_runtime::protocol::Timestamp;

    use super::*;
    use crate::callback::{CallbackFault, Kind};

    #[test]
    fn each_answer_is_counted_as_what_it_is() {
        let elapsed = Duration::from_millis(3);
        let counted = |answer: &Answer| measured(answer, elapsed).split_off(2);
        let taken = |kind| Answer::to(&Ok(kind), "t", Timestamp::from_millis(0));
        assert_eq!(counted(&taken(Kind::Delivered)), [Metric::Delivered]);
        for kind in [Kind::HeartbeatRecorded, Kind::AlreadyDelivered, Kind::Expired, Kind::Unknown] {
            assert_eq!(counted(&taken(kind)), [], "{kind:?}");
        }
        assert_eq!(counted(&taken(Kind::Contradicted)), [Metric::ClientError]);
        assert_eq!(counted(&Answer::error(401, "no")), [Metric::ClientError]);
        let lost =
            Answer::to(&Err(CallbackFault::Storage { retryable: false }), "t", Timestamp::from_millis(0));
        assert_eq!(
            measured(&lost, elapsed),
            [Metric::Received, Metric::Latency(elapsed), Metric::ServerError]
        );
    }
}
