//! Compensations: what undoes a finished step when the work around it fails.
//!
//! ```text
//! a recorded context fails     its compensations run inside it, last first, then its failure is recorded
//! a recorded context succeeds  they pass to the context around it, and its children stay readable, so that
//!                              a replay finds them again
//! a branch is cancelled        its compensations run in the group, before the group's end is recorded
//! ```
//!
//! A compensation's identity comes from the step that it undoes, so that it is one operation however it comes
//! to be run. Which ones there are and in which order follows from the history alone: contexts list them in
//! program order, groups by the index of the branch, never by who was first.

use std::{
    future::Future,
    sync::{Arc, Mutex, OnceLock, atomic::Ordering},
};

use crate::{
    codec::{Codec, Fallible, Outcome, Plain},
    core::identity::Namespace,
    operation::DurableOperation,
    operations::{
        child::{Execution, ExecutionBody},
        settle::fit_error,
        step::{Step, StepBody},
    },
    protocol::{ErrorObject, OperationId},
    scope::{Branch, Cx},
    serdes::{SerdesError, about},
    service::BoxFuture,
    sync::lock,
};

/// What a compensation returns: a call of a `#[durable_step]` or of a `#[durable_execution]` that owns its
/// arguments.
#[diagnostic::on_unimplemented(
    message = "a compensation has to be a durable step or a durable execution",
    label = "`{Self}` is not recorded in the history",
    note = "it runs when the work around its step fails, and must survive a crash like everything else",
    note = "name a `#[durable_step] async fn` that takes what the step returned by value: `#[durable_step(compensate = undo)]`"
)]
pub trait Undo: DurableOperation {
    /// Performs it and gives its error, if it failed.
    #[doc(hidden)]
    fn undo(self, cx: Cx) -> BoxFuture<'static, Option<ErrorObject>>;
}

fn failure<R, K: Codec<R>>(output: &R) -> Option<ErrorObject> {
    match K::encode(output) {
        Ok(Outcome::Failed(error)) => Some(error),
        // It was recorded before it came here, so it can be written.
        Ok(Outcome::Succeeded(_)) | Err(_) => None,
    }
}

#[diagnostic::do_not_recommend]
impl<B: StepBody + 'static> Undo for Step<B> {
    fn undo(self, cx: Cx) -> BoxFuture<'static, Option<ErrorObject>> {
        let performing = self.start(cx);
        Box::pin(async move { failure::<_, B::Codec>(&performing.await) })
    }
}

#[diagnostic::do_not_recommend]
impl<B: ExecutionBody + 'static> Undo for Execution<B> {
    fn undo(self, cx: Cx) -> BoxFuture<'static, Option<ErrorObject>> {
        let performing = self.start(cx);
        Box::pin(async move { failure::<_, B::Codec>(&performing.await) })
    }
}

/// The value of a successful output: of `Result<T, E>` it is `T`, of anything else the thing itself.
#[doc(hidden)]
pub trait SuccessOf<R>: Codec<R> {
    type Value: Send + 'static;

    fn success(outcome: &Outcome) -> Result<Self::Value, SerdesError>;
}

impl<T: Send + 'static, E, S> SuccessOf<Result<T, E>> for Fallible<S>
where
    Self: Codec<Result<T, E>>,
{
    type Value = T;

    fn success(outcome: &Outcome) -> Result<T, SerdesError> {
        ok_of::<T, E, Self>(outcome)
    }
}

impl<T: Send + 'static, S> SuccessOf<T> for Plain<S>
where
    Self: Codec<T>,
{
    type Value = T;

    fn success(outcome: &Outcome) -> Result<T, SerdesError> {
        Self::decode(outcome)
    }
}

fn ok_of<T, E, K: Codec<Result<T, E>>>(outcome: &Outcome) -> Result<T, SerdesError> {
    K::decode(outcome)?.map_err(|_| SerdesError("it failed".to_owned()))
}

/// A step that can be undone.
#[doc(hidden)]
pub struct Compensated<B> {
    body: B,
    /// Erased, so that a compensation that is none is one error, and not another one for each use of the step.
    undo: Option<PerformWith>,
}

/// Joins the body of a declared step with what undoes it.
#[doc(hidden)]
pub fn compensated<B, F, U>(body: B, compensation: F) -> Compensated<B>
where
    B: StepBody<Codec: SuccessOf<B::Output>>,
    F: FnOnce(<B::Codec as SuccessOf<B::Output>>::Value) -> U + Send + 'static,
    U: Undo,
{
    Compensated::new(body, <B::Codec as SuccessOf<B::Output>>::success, compensation)
}

/// Joins the body of one call with what undoes it. Of a call, no more is known than its output.
pub(crate) fn compensated_call<B, F, U, T, E>(body: B, compensation: F) -> Compensated<B>
where
    B: StepBody<Output = Result<T, E>>,
    T: 'static,
    F: FnOnce(T) -> U + Send + 'static,
    U: Undo,
{
    Compensated::new(body, ok_of::<T, E, B::Codec>, compensation)
}

impl<B> Compensated<B> {
    fn new<T: 'static, U: Undo>(
        body: B,
        value: fn(&Outcome) -> Result<T, SerdesError>,
        compensation: impl FnOnce(T) -> U + Send + 'static,
    ) -> Self {
        let undo = move |id: &OperationId, outcome: &Outcome, cx| match about(id, || value(outcome)) {
            Ok(value) => compensation(value).undo(cx),
            Err(error) => Box::pin(std::future::ready(Some(ErrorObject::new(
                "StepError",
                format!("the record of the step that was to be undone does not fit its type: {error}"),
            )))),
        };
        Self { body, undo: Some(Box::new(undo)) }
    }
}

impl<B: StepBody> StepBody for Compensated<B> {
    type Output = B::Output;
    type Codec = B::Codec;
    type Attempt = B::Attempt;
    const NAME: &'static str = B::NAME;
    const REPEATABLE: bool = B::REPEATABLE;

    fn attempt(&mut self, last: bool) -> B::Attempt {
        self.body.attempt(last)
    }

    fn interrupted(interrupted: crate::Interrupted) -> Option<B::Output> {
        B::interrupted(interrupted)
    }

    fn compensation(&mut self, id: &OperationId, outcome: &Outcome) -> Option<Perform> {
        let (undo, id, outcome) = (self.undo.take()?, id.clone(), outcome.clone());
        // The value is read when it is needed: most of them never are.
        Some(Box::new(move |cx| undo(&id, &outcome, cx)))
    }
}

/// Performs a compensation of a step that has ended in an outcome.
type PerformWith =
    Box<dyn FnOnce(&OperationId, &Outcome, Cx) -> BoxFuture<'static, Option<ErrorObject>> + Send>;

/// Performs a compensation in a context.
#[doc(hidden)]
pub type Perform = Box<dyn FnOnce(Cx) -> BoxFuture<'static, Option<ErrorObject>> + Send>;

/// A finished step that can be undone.
pub(crate) struct Compensation {
    step: OperationId,
    perform: Perform,
}

impl Compensation {
    pub(crate) const fn new(step: OperationId, perform: Perform) -> Self {
        Self { step, perform }
    }
}

/// The compensations of one context, made with the first one.
#[derive(Default)]
pub(crate) struct Ledger(OnceLock<Arc<Page>>);

/// By their place: program order in a context, the branch's index in a group.
#[derive(Default)]
struct Page(Mutex<Vec<(usize, Entry)>>);

enum Entry {
    Step(Compensation),
    Context(Arc<Page>),
}

impl Page {
    fn add(&self, place: Option<usize>, entry: Entry) {
        let mut entries = lock(&self.0);
        let place = place.unwrap_or(entries.len());
        let at = entries.partition_point(|(other, _)| *other <= place);
        entries.insert(at, (place, entry));
    }

    fn take(&self, into: &mut Vec<Compensation>) {
        for (_, entry) in std::mem::take(&mut *lock(&self.0)) {
            match entry {
                Entry::Step(compensation) => into.push(compensation),
                Entry::Context(page) => page.take(into),
            }
        }
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).iter().all(|(_, entry)| match entry {
            Entry::Step(_) => false,
            Entry::Context(page) => page.is_empty(),
        })
    }
}

/// Counts a branch, and every one around it, as undoing something, so that no group cancels it half-way.
struct Undoing(Arc<Branch>);

impl Undoing {
    fn begin(branch: &Arc<Branch>) -> Self {
        branch.with_outer(|branch| {
            branch.undoing.fetch_add(1, Ordering::AcqRel);
        });
        Self(Arc::clone(branch))
    }
}

impl Drop for Undoing {
    fn drop(&mut self) {
        self.0.with_outer(|branch| {
            branch.undoing.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

impl Cx {
    /// Notes that a step has succeeded that can be undone.
    pub(crate) fn register_compensation(&self, step: &OperationId, perform: Perform) {
        self.page().add(None, Entry::Step(Compensation::new(step.clone(), perform)));
    }

    fn page(&self) -> Arc<Page> {
        let page = self.ledger().0.get_or_init(|| {
            let page = Arc::new(Page::default());
            if let Some((outer, place)) = self.outer() {
                outer.page().add(place, Entry::Context(Arc::clone(&page)));
            }
            page
        });
        Arc::clone(page)
    }

    /// True when something in this context could still be undone.
    pub(crate) fn has_compensations(&self) -> bool {
        self.ledger().0.get().is_some_and(|page| !page.is_empty())
    }

    /// True while something in this branch is being undone.
    pub(crate) fn is_undoing(&self) -> bool {
        self.branch().undoing.load(Ordering::Acquire) > 0
    }

    /// Takes what could be undone in this context, in the order in which it was done.
    pub(crate) fn take_compensations(&self) -> Vec<Compensation> {
        let mut taken = Vec::new();
        if let Some(page) = self.ledger().0.get() {
            page.take(&mut taken);
        }
        taken
    }

    /// Undoes what was done in this context, whose work has failed with `error`. What can't be undone is
    /// added to the error's stack trace, which is for people; its type, message and data stay as they are.
    pub(crate) async fn roll_back(&self, error: &mut ErrorObject) {
        if !self.has_compensations() {
            return;
        }
        let failures = self.undo(self.take_compensations()).await;
        if failures.is_empty() {
            return;
        }
        let mut noted = error.clone();
        noted.stack_trace.get_or_insert_default().extend(failures);
        // Data that only fits without the notes is worth more than they are; the history has them.
        if fit_error(noted.clone()).error_data == error.error_data {
            *error = noted;
        }
    }

    /// Runs compensations, the last one first, and goes on when one fails. Gives what went wrong.
    pub(crate) fn undo(
        &self,
        compensations: Vec<Compensation>,
    ) -> impl Future<Output = Vec<String>> + Send + use<> {
        let cx = self.clone();
        async move {
            let _undoing = Undoing::begin(cx.branch());
            let mut failures = Vec::new();
            for Compensation { step, perform } in compensations.into_iter().rev() {
                let inside = cx.beside(Namespace::of(&step));
                if let Some(error) = perform(inside).await {
                    tracing::error!(step = step.as_str(), %error, "a compensation failed; what the step did stays done");
                    failures.push(format!("the compensation of step {step} failed: {error}"));
                }
            }
            failures
        }
    }
}
