//! How the faults come about: between an invocation, its clock and its service.

use std::{sync::Arc, time::Duration};

use durable_runtime::{
    environment::Clock,
    protocol::Timestamp,
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError},
};

use super::Faults;
use crate::between::{Between, Invocation, Invoked};

/// How long a caller waits for an answer that was lost.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

impl Between for Faults {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let arn = request.durable_execution_arn.clone();
            let faults = self.draw(&arn);
            if !faults.delay.is_zero() {
                tokio::time::sleep(faults.delay).await;
            }
            if let Some(refusal) = faults.refusal {
                return Err(refusal);
            }
            let again = faults.twice.then(|| request.clone());
            let answer = service.checkpoint(request).await;
            if let Some(again) = again {
                // Whatever it is answered, its sender has the first answer.
                let _ = service.checkpoint(again).await;
            }
            if faults.lost {
                tokio::time::sleep(CALL_TIMEOUT).await;
                return Err(ServiceError::transient("RequestTimeout", "no answer within 30 s"));
            }
            answer
        })
    }

    fn invocation(self: Arc<Self>, mut invocation: Invocation) -> BoxFuture<'static, Invoked> {
        let twice = {
            let mut state = self.lock();
            self.jump(&mut state);
            let twice = state.happens(self.rates.duplicated_invocations);
            if twice {
                state.injected.push("invocation delivered twice".to_owned());
            }
            twice
        };
        let arn = invocation.input.durable_execution_arn.clone();
        let clock =
            SkewedClock { clock: Arc::clone(&invocation.environment.clock), faults: Self::clone(&self) };
        invocation.environment.clock = Arc::new(clock);
        Box::pin(async move {
            let output = if twice { run_twice(invocation).await } else { invocation.run().await };
            let mut state = self.lock();
            match &output {
                Ok(_) => drop(state.failures.remove(&arn)),
                Err(_) => *state.failures.entry(arn).or_default() += 1,
            }
            output
        })
    }
}

/// Runs the same invocation twice at the same time; the one that gets its way counts.
async fn run_twice(invocation: Invocation) -> Invoked {
    let mut first = invocation.clone().run();
    let mut second = invocation.run();
    let (output, other) = tokio::select! {
        biased;
        output = &mut first => (output, second),
        output = &mut second => (output, first),
    };
    if output.is_ok() { output } else { other.await }
}

/// A clock that is wrong.
struct SkewedClock {
    clock: Arc<dyn Clock>,
    faults: Faults,
}

impl SkewedClock {
    fn skew(&self) -> i64 {
        self.faults.lock().skew
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now().as_millis().saturating_add(self.skew()))
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let deadline = deadline.as_millis().saturating_sub(self.skew());
        self.clock.sleep_until(Timestamp::from_millis(deadline))
    }
}
