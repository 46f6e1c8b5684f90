//! The current context: which execution, which namespace, which branch the running code belongs to.
//!
//! It travels by a thread-local that is set for the length of one poll, so that user code needs no context
//! parameter and plain functions can ask for it.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use crate::{
    core::{
        Core, Fatal,
        identity::Namespace,
        mismatch,
        outbox::{Sequence, Urgency},
    },
    environment::{Clock, Options},
    operations::{saga::Ledger, version::Version},
    plugin::{OperationInfo, Plugins},
    protocol::{
        ErrorObject, Operation, OperationAction, OperationId, OperationType, OperationUpdate, Timestamp,
        limits,
    },
    sync::lock,
    task::Task,
};

/// What all contexts of one invocation share.
pub(crate) struct Run {
    core: Mutex<Core>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) arn: Arc<str>,
    pub(crate) root_task: Arc<Task>,
    /// What the service changed since the previous invocation; only kept when somebody watches.
    pub(crate) updated: FxHashSet<OperationId>,
}

impl Run {
    pub(crate) fn new(
        core: Core,
        clock: Arc<dyn Clock>,
        options: Options,
        arn: Arc<str>,
        root_task: Arc<Task>,
        updated: FxHashSet<OperationId>,
    ) -> Arc<Self> {
        Arc::new(Self { core: Mutex::new(core), clock, options, arn, root_task, updated })
    }

    pub(crate) fn plugins(&self) -> &Plugins {
        &self.options.plugins
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    pub(crate) fn fail(&self, fatal: Fatal) {
        self.core().fail(fatal);
        // The driver looks at the slot after every poll of the body; make sure that there is one.
        self.root_task.wake();
    }
}

/// A line of control flow: the body, or one concurrent branch.
pub(crate) struct Branch {
    pub(crate) task: Arc<Task>,
    /// The last urgent update in this line's past. An effect waits until it is durable.
    barrier: AtomicU64,
    /// How many contexts of this line are running compensations.
    pub(crate) undoing: AtomicUsize,
    /// The line that this one branches off.
    outer: Option<Arc<Self>>,
}

impl Branch {
    pub(crate) fn root(task: Arc<Task>) -> Arc<Self> {
        Arc::new(Self { task, barrier: AtomicU64::new(0), undoing: AtomicUsize::new(0), outer: None })
    }

    fn off(outer: &Arc<Self>, task: Arc<Task>) -> Arc<Self> {
        let barrier = AtomicU64::new(outer.barrier());
        Arc::new(Self { task, barrier, undoing: AtomicUsize::new(0), outer: Some(Arc::clone(outer)) })
    }

    /// Visits this line and those around it.
    pub(crate) fn with_outer(self: &Arc<Self>, mut visit: impl FnMut(&Self)) {
        let mut branch = Some(self);
        while let Some(this) = branch {
            visit(this);
            branch = this.outer.as_ref();
        }
    }

    pub(crate) fn barrier(&self) -> Sequence {
        self.barrier.load(Ordering::Acquire)
    }

    fn raise_barrier(&self, sequence: Sequence) {
        self.barrier.fetch_max(sequence, Ordering::AcqRel);
    }
}

/// The context that operations are started in. Cheap to clone.
#[derive(Clone)]
pub struct Cx(Arc<Inner>);

struct Inner {
    run: Arc<Run>,
    branch: Arc<Branch>,
    namespace: Mutex<Namespace>,
    /// The nearest recorded context, which the service knows as the parent.
    parent: Option<OperationId>,
    /// What can be undone here.
    ledger: Ledger,
    /// The context around this one, and the branch's index when that is a group's.
    outer: Option<(Cx, Option<usize>)>,
    /// Which version of its function runs here; unset where no function begins.
    version: OnceLock<Version>,
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("parent", &self.0.parent).finish_non_exhaustive()
    }
}

/// What an operation is, for its identity and its updates.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: OperationId,
    pub(crate) parent: Option<OperationId>,
    pub(crate) operation_type: OperationType,
    pub(crate) sub_type: &'static str,
    pub(crate) name: Option<CompactString>,
}

impl Identity {
    pub(crate) fn update(&self, action: OperationAction) -> OperationUpdate {
        let mut update = OperationUpdate::new(self.id.clone(), self.operation_type, action);
        update.parent_id.clone_from(&self.parent);
        update.name.clone_from(&self.name);
        update.sub_type = Some(CompactString::const_new(self.sub_type));
        update
    }

    /// Kind, name and id, for messages.
    pub(crate) fn describe(&self) -> String {
        mismatch::describe(self.operation_type, self.name.as_deref(), &self.id)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Cx>> = const { RefCell::new(None) };
}

impl Cx {
    pub(crate) fn root(run: Arc<Run>) -> Self {
        let branch = Branch::root(Arc::clone(&run.root_task));
        Self::new(run, branch, Namespace::root(), None, None)
    }

    fn new(
        run: Arc<Run>,
        branch: Arc<Branch>,
        namespace: Namespace,
        parent: Option<OperationId>,
        outer: Option<(Self, Option<usize>)>,
    ) -> Self {
        let (namespace, ledger) = (Mutex::new(namespace), Ledger::default());
        let version = OnceLock::new();
        Self(Arc::new(Inner { run, branch, namespace, parent, ledger, outer, version }))
    }

    /// The context of the code that is being polled, if it is durable code.
    pub(crate) fn try_current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// The context of durable code.
    ///
    /// # Panics
    ///
    /// Outside of durable code. The macros emit calls only where a driver polls.
    #[doc(hidden)]
    #[must_use]
    pub fn current() -> Self {
        Self::try_current()
            .expect("generated code runs only inside an execution's poll, which sets the context")
    }

    /// The context inside operation `owner`, on the same branch.
    pub(crate) fn child(&self, owner: &OperationId) -> Self {
        Self::new(
            Arc::clone(self.run()),
            Arc::clone(&self.0.branch),
            Namespace::of(owner),
            Some(owner.clone()),
            Some((self.clone(), None)),
        )
    }

    /// The context of concurrent branch `index`. `parent` differs from `owner` when the branch has no record.
    pub(crate) fn concurrent(
        &self,
        task: Arc<Task>,
        index: usize,
        owner: &OperationId,
        parent: OperationId,
    ) -> Self {
        let branch = Branch::off(&self.0.branch, task);
        let outer = Some((self.clone(), Some(index)));
        Self::new(Arc::clone(self.run()), branch, Namespace::of(owner), Some(parent), outer)
    }

    /// This context with another namespace.
    pub(crate) fn beside(&self, namespace: Namespace) -> Self {
        let parent = self.0.parent.clone();
        let outer = Some((self.clone(), None));
        Self::new(Arc::clone(self.run()), Arc::clone(&self.0.branch), namespace, parent, outer)
    }

    /// The identity of the record of this function's version.
    pub(crate) fn version_id(&self) -> OperationId {
        lock(&self.0.namespace).keyed("Version", "")
    }

    pub(crate) fn set_version(&self, version: Version) {
        // A context belongs to one call of one function, which begins once.
        let _ = self.0.version.set(version);
    }

    /// Which version of the function around this code runs.
    pub(crate) fn version(&self) -> Option<Version> {
        let mut cx = Some(self);
        while let Some(this) = cx {
            if let Some(version) = this.0.version.get() {
                return Some(*version);
            }
            cx = this.outer().map(|(outer, _)| outer);
        }
        None
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub(crate) fn outer(&self) -> Option<(&Self, Option<usize>)> {
        self.0.outer.as_ref().map(|(outer, index)| (outer, *index))
    }

    pub(crate) fn branch(&self) -> &Arc<Branch> {
        &self.0.branch
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.0.run
    }

    pub(crate) fn task(&self) -> &Arc<Task> {
        &self.0.branch.task
    }

    pub(crate) fn barrier(&self) -> Sequence {
        self.0.branch.barrier()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.run().clock.now()
    }

    pub(crate) fn is_replaying(&self) -> bool {
        self.run().core().history.is_replaying(&self.0.parent)
    }

    /// An identity that nothing is recorded under: for values derived instead of stored.
    pub(crate) fn draw(&self, kind: &'static str) -> OperationId {
        lock(&self.0.namespace).next(kind, "")
    }

    /// Claims the next operation of this kind and name.
    pub(crate) fn claim(
        &self,
        operation_type: OperationType,
        sub_type: &'static str,
        name: Option<CompactString>,
    ) -> Identity {
        let id = lock(&self.0.namespace).next(sub_type, name.as_deref().unwrap_or_default());
        self.claim_id(id, operation_type, sub_type, name)
    }

    /// Claims operation `id`, whose identity somebody else determined.
    pub(crate) fn claim_id(
        &self,
        id: OperationId,
        operation_type: OperationType,
        sub_type: &'static str,
        name: Option<CompactString>,
    ) -> Identity {
        let parent = self.0.parent.clone();
        let mut identity = Identity { id, parent, operation_type, sub_type, name };
        let mut core = self.run().core();
        let mut announced = None;
        if let Some(recorded) = core.history.claim(&identity.id) {
            // A compensation goes on where it was begun: in the context that failed, or in the group that
            // cancelled it.
            identity.parent.clone_from(&recorded.parent_id);
            if !self.run().plugins().is_empty() {
                announced = Some(OperationInfo::of_record(recorded, true, Arc::clone(&self.run().arn)));
            }
            let same_sub_type = recorded.sub_type.as_deref().is_none_or(|recorded| recorded == sub_type);
            if recorded.operation_type != operation_type || !same_sub_type {
                let error = mismatch::different(recorded, operation_type, sub_type, identity.name.as_deref());
                drop(core);
                self.run().fail(Fatal::Diverged(error));
                return identity;
            }
        } else if let Some(error) = check_name(&identity) {
            drop(core);
            self.run().fail(Fatal::Fail(error));
            return identity;
        }
        drop(core);
        if let Some(operation) = announced {
            self.run().announce_recorded(&operation);
        }
        identity
    }

    /// Reads what is recorded of an operation.
    pub(crate) fn recorded<T>(&self, id: &OperationId, read: impl FnOnce(Option<&Operation>) -> T) -> T {
        read(self.run().core().history.get(id))
    }

    /// Queues an update. An urgent one becomes this branch's barrier.
    pub(crate) fn push(&self, update: OperationUpdate, urgency: Urgency) -> Sequence {
        let mut core = self.run().core();
        if core.fatal().is_some() {
            // Nothing after a fatal condition is recorded, and nothing may wait for it successfully.
            return Sequence::MAX;
        }
        let announced =
            (update.action == OperationAction::Start && !self.run().plugins().is_empty()).then(|| {
                let is_replay = core.history.contains(&update.id);
                OperationInfo::of_start(&update, is_replay, Arc::clone(&self.run().arn))
            });
        let sequence = core.outbox.push(update, urgency);
        drop(core);
        if let Some(operation) = announced {
            self.run().plugins().each(|plugin| plugin.operation_started(&operation));
        }
        if urgency == Urgency::Urgent {
            self.0.branch.raise_barrier(sequence);
        }
        sequence
    }

    /// Waits until `read` finds in the record what it looks for.
    pub(crate) fn until<T, F>(&self, id: &OperationId, read: F) -> Until<'_, F>
    where
        F: FnMut(Option<&Operation>) -> Option<T>,
    {
        Until { cx: self, id: id.clone(), read, ticket: None }
    }

    /// Waits until everything up to `sequence` is durable.
    pub(crate) fn durable(&self, sequence: Sequence) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(move |_| {
            let mut core = self.run().core();
            if core.outbox.is_durable(sequence) {
                return Poll::Ready(());
            }
            core.wait_for_durability(sequence, Arc::clone(self.task()));
            Poll::Pending
        })
    }

    /// True when an operation can have this payload: small enough for its record, or there is a store for it.
    pub(crate) fn fits_operation(&self, payload: &str) -> bool {
        payload.len() <= limits::OPERATION_PAYLOAD || self.run().options.payloads.is_some()
    }

    /// Waits until an effect may begin: the history matches, and what precedes it is durable.
    pub(crate) async fn permission(&self, barrier: Sequence) {
        std::future::poll_fn(|_| {
            let mut core = self.run().core();
            if core.effects_allowed() && core.fatal().is_none() {
                return Poll::Ready(());
            }
            core.wait_for_permission(Arc::clone(self.task()));
            Poll::Pending
        })
        .await;
        self.durable(barrier).await;
    }

    /// Ends the execution in an error that user code can't catch, and never returns.
    pub(crate) async fn fail(&self, error: ErrorObject) -> ! {
        self.run().fail(Fatal::Fail(error));
        match std::future::pending::<std::convert::Infallible>().await {}
    }

    /// Runs `code` with this context as the current one.
    pub(crate) fn enter<T>(&self, code: impl FnOnce() -> T) -> T {
        let _restore = Restore::replace(Some(self.clone()));
        code()
    }

    /// Polls `future` with this context as the current one.
    pub(crate) fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped { cx: Some(self), future: Box::pin(future) }
    }
}

/// Runs `code` without any durable context: inside a step there is none.
pub(crate) fn masked<T>(code: impl FnOnce() -> T) -> T {
    let _restore = Restore::replace(None);
    code()
}

/// Puts the previous context back, also when the code unwinds.
struct Restore(Option<Cx>);

impl Restore {
    fn replace(cx: Option<Cx>) -> Self {
        Self(CURRENT.replace(cx))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// A future that is polled in its context.
pub(crate) struct Scoped<F> {
    cx: Option<Cx>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Moved in and out instead of cloned: polls are hot and the counter is shared.
        let restore = Restore::replace(self.cx.take());
        let poll = self.future.as_mut().poll(context);
        self.cx = CURRENT.take();
        drop(restore);
        poll
    }
}

/// See [`Cx::until`].
pub(crate) struct Until<'cx, F> {
    cx: &'cx Cx,
    id: OperationId,
    read: F,
    ticket: Option<u64>,
}

// Nothing in it is ever pinned.
impl<F> Unpin for Until<'_, F> {}

impl<T, F: FnMut(Option<&Operation>) -> Option<T>> Future for Until<'_, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let mut core = this.cx.run().core();
        if let Some(found) = (this.read)(core.history.get(&this.id)) {
            return Poll::Ready(found);
        }
        if this.ticket.is_none() {
            this.ticket = Some(core.wait_for_change(this.id.clone(), Arc::clone(this.cx.task())));
        }
        Poll::Pending
    }
}

impl<F> Drop for Until<'_, F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.cx.run().core().stop_waiting(&self.id, ticket);
        }
    }
}

/// The service takes 1 to 256 printable ASCII characters as a name.
fn check_name(identity: &Identity) -> Option<ErrorObject> {
    let name = identity.name.as_deref()?;
    let fits = (1..=limits::OPERATION_NAME).contains(&name.len());
    if fits && name.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return None;
    }
    Some(ErrorObject::new(
        "InvalidOperationName",
        format!(
            "the name of {} must be 1 to {} printable ASCII characters; give it another one with `.named(..)`",
            identity.describe(),
            limits::OPERATION_NAME
        ),
    ))
}
