//! One attempt of a step: polled in place, without a durable context, with its own waker, limit and net
//! for panics.

use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use compact_str::CompactString;

use crate::{
    error::Interruption,
    intercept::Fake,
    plugin::{AttemptInfo, Surroundings},
    protocol::OperationId,
    scope::{Cx, Identity, Run, masked},
    service::BoxFuture,
    task::Task,
};

/// The running attempt of a step, as the code inside it can ask for it with [`current_step`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepInfo {
    /// The step's name.
    pub name: CompactString,
    /// The step's identity in its execution.
    pub operation_id: OperationId,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// The execution.
    pub execution_arn: Arc<str>,
}

impl StepInfo {
    /// A text that is the same for every attempt of this step and different for every other step of every
    /// execution: what a payment provider wants as an idempotency key, since an attempt that a crash cut off
    /// is made again.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let execution = self.execution_arn.rsplit('/').next().unwrap_or(&self.execution_arn);
        format!("{execution}-{}", self.operation_id)
    }
}

/// The running attempt of the current step; `None` outside of a step.
#[must_use]
pub fn current_step() -> Option<StepInfo> {
    ATTEMPT.with_borrow(Clone::clone)
}

thread_local! {
    static ATTEMPT: RefCell<Option<StepInfo>> = const { RefCell::new(None) };
}

/// Wakes the branch while its attempt runs; afterwards stale clones of it do nothing.
struct StepWaker {
    task: Arc<Task>,
    armed: AtomicBool,
}

impl Wake for StepWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.armed.load(Ordering::Acquire) {
            self.task.wake();
        }
    }
}

/// Counts the attempt as running, until it is done or dropped.
struct Running(Arc<Run>);

impl Running {
    fn begin(run: &Arc<Run>) -> Self {
        run.core().steps_running += 1;
        Self(Arc::clone(run))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.core().steps_running -= 1;
    }
}

/// A running attempt.
pub(crate) struct Attempt<'a, O> {
    body: BoxFuture<'a, O>,
    limit: Option<(Duration, BoxFuture<'static, ()>)>,
    context: Option<StepInfo>,
    surroundings: Surroundings,
    waker: Waker,
    step_waker: Arc<StepWaker>,
    span: tracing::Span,
    _running: Running,
}

impl Cx {
    /// What stands in front of the body of this attempt.
    pub(crate) fn intercept(
        &self,
        identity: &Identity,
        attempt: u32,
    ) -> Option<BoxFuture<'static, Option<Fake>>> {
        let interceptor = self.run().options.interceptor.as_ref()?;
        interceptor.before(&info(self, identity, attempt))
    }
}

fn info(cx: &Cx, identity: &Identity, attempt: u32) -> StepInfo {
    StepInfo {
        name: identity.name.clone().unwrap_or_default(),
        operation_id: identity.id.clone(),
        attempt,
        execution_arn: Arc::clone(&cx.run().arn),
    }
}

impl<'a, O> Attempt<'a, O> {
    pub(crate) fn begin(
        cx: &Cx,
        identity: &Identity,
        attempt: u32,
        timeout: Option<Duration>,
        announced: Option<&AttemptInfo>,
        body: BoxFuture<'a, O>,
    ) -> Self {
        let run = cx.run();
        let info = info(cx, identity, attempt);
        let step_waker = Arc::new(StepWaker { task: Arc::clone(cx.task()), armed: AtomicBool::new(true) });
        Self {
            body,
            limit: timeout.map(|limit| (limit, run.clock.sleep_until(cx.now().after(limit)))),
            span: tracing::info_span!("step", name = info.name.as_str(), attempt),
            context: Some(info),
            surroundings: announced.map(|attempt| run.plugins().around_polls(attempt)).unwrap_or_default(),
            waker: Waker::from(Arc::clone(&step_waker)),
            step_waker,
            _running: Running::begin(run),
        }
    }
}

impl<O> Drop for Attempt<'_, O> {
    fn drop(&mut self) {
        self.step_waker.armed.store(false, Ordering::Release);
    }
}

impl<O> Future for Attempt<'_, O> {
    type Output = Result<O, Interruption>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut context = Context::from_waker(&this.waker);
        let previous = ATTEMPT.replace(this.context.take());
        let body = this.body.as_mut();
        let span = this.span.enter();
        // The future is never polled again after a panic, so nobody sees what it broke.
        let polled = this
            .surroundings
            .surround(|| catch_unwind(AssertUnwindSafe(|| masked(|| body.poll(&mut context)))));
        drop(span);
        this.context = ATTEMPT.replace(previous);
        match polled {
            Ok(Poll::Ready(output)) => return Poll::Ready(Ok(output)),
            Err(panic) => {
                return Poll::Ready(Err(Interruption::Panicked { message: panic_message(&*panic) }));
            }
            Ok(Poll::Pending) => {}
        }
        if let Some((limit, sleep)) = &mut this.limit
            && sleep.as_mut().poll(&mut context).is_ready()
        {
            let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            return Poll::Ready(Err(Interruption::TimedOut { milliseconds }));
        }
        Poll::Pending
    }
}

/// The text of a panic, when it has one.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
