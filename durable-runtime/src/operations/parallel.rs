//! `join!`, `try_join!`, `race!`, `select_ok!`: branches of different types, written out.

use std::{future::Future, marker::PhantomData};

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::{
    codec::{Codec, Outcome},
    core::identity::Namespace,
    operation::{BoxOp, DurableOperation, only_inside},
    operations::{
        child::claim_context,
        group::{Completion, CompletionReason, GroupEnd, GroupResult, ItemEnd, Plan, run_group},
    },
    protocol::{ErrorObject, OperationId, Payload, sub_type},
    scope::{Cx, Identity},
    serdes::{SerdesError, about},
    service::BoxFuture,
};

/// One branch of a group that is written out.
#[doc(hidden)]
pub struct Branch<'a, O, K> {
    name: Option<&'static str>,
    operation: BoxOp<'a, O>,
    _codec: PhantomData<fn() -> K>,
}

impl<O, K> std::fmt::Debug for Branch<'_, O, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branch").field("name", &self.name).finish_non_exhaustive()
    }
}

#[doc(hidden)]
pub fn branch<'a, K, O>(name: Option<&'static str>, _: K, operation: BoxOp<'a, O>) -> Branch<'a, O, K> {
    Branch { name, operation, _codec: PhantomData }
}

/// What a branch does once it may, without its type.
type Begin<'a> = Box<dyn FnOnce(OperationId, Cx) -> BoxFuture<'a, Result<Outcome, SerdesError>> + Send + 'a>;

impl<'a, O: Send + 'a, K: Codec<O>> Branch<'a, O, K> {
    fn erase(self) -> (Option<&'static str>, Begin<'a>) {
        let operation = self.operation;
        let begin = move |id: OperationId, cx: Cx| -> BoxFuture<'a, Result<Outcome, SerdesError>> {
            let performing = operation.begin(cx);
            Box::pin(async move {
                let ended = performing.await;
                about(&id, || K::encode(&ended))
            })
        };
        (self.name, Box::new(begin))
    }
}

/// The record of a group whose branches have different types: each outcome as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    all: Vec<RecordItem>,
    completion_reason: CompletionReason,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordItem {
    index: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

impl Record {
    fn of(result: &GroupResult) -> Self {
        let item = |(index, end): (usize, &ItemEnd)| match end {
            ItemEnd::Ended(Outcome::Succeeded(result)) => {
                Some(RecordItem { index, result: result.clone(), error: None })
            }
            ItemEnd::Ended(Outcome::Failed(error)) => {
                Some(RecordItem { index, result: None, error: Some(error.clone()) })
            }
            ItemEnd::Started | ItemEnd::NotStarted => None,
        };
        Self {
            all: result.items.iter().enumerate().filter_map(item).collect(),
            completion_reason: result.reason,
        }
    }

    fn into_outcomes(self, branches: usize) -> Vec<Option<Outcome>> {
        let mut outcomes = vec![None; branches];
        for item in self.all {
            if let Some(slot) = outcomes.get_mut(item.index) {
                *slot = Some(match item.error {
                    Some(error) => Outcome::Failed(error),
                    None => Outcome::Succeeded(item.result),
                });
            }
        }
        outcomes
    }
}

/// A group of branches that are written out, claimed unless its plan is wrong.
struct Written<'a> {
    cx: Cx,
    identity: Result<Identity, String>,
    plan: Plan,
    begins: Vec<Begin<'a>>,
}

impl<'a> Written<'a> {
    fn claim(
        cx: Cx,
        name: Option<&'static str>,
        completion: Completion,
        max_concurrency: Option<usize>,
        branches: Vec<(Option<&'static str>, Begin<'a>)>,
    ) -> Self {
        let (names, begins): (Vec<_>, Vec<_>) = branches.into_iter().unzip();
        let branch_name = |(index, name): (usize, Option<&'static str>)| {
            Some(name.map_or_else(|| format_compact!("parallel-branch-{index}"), CompactString::const_new))
        };
        let plan = Plan {
            branches: begins.len(),
            branch_sub_type: sub_type::PARALLEL_BRANCH,
            max_concurrency,
            completion,
            flat: false,
            keys: None,
            names: names.into_iter().enumerate().map(branch_name).collect(),
        };
        // Checked before the identity is claimed: a wrong plan records nothing.
        let identity = plan
            .check()
            .map(|()| claim_context(&cx, sub_type::PARALLEL, name.map(CompactString::const_new)))
            .map_err(|wrong| format!("parallel `{}`: {wrong}", name.unwrap_or_default()));
        Self { cx, identity, plan, begins }
    }

    /// Runs the branches; gives the outcomes of those that ended.
    async fn run(self) -> Ended {
        let (cx, plan) = (self.cx, self.plan);
        let identity = match self.identity {
            Ok(identity) => identity,
            Err(wrong) => cx.fail(ErrorObject::new("ValidationError", wrong)).await,
        };
        let mut begins: Vec<Option<Begin<'a>>> = self.begins.into_iter().map(Some).collect();
        let begin = |index: usize, id: OperationId, cx: Cx| {
            let begin = begins.get_mut(index).and_then(Option::take);
            cx.enter(|| begin.expect("a group starts each branch once")(id, cx.clone()))
        };
        let encode = |result: &GroupResult| {
            serde_json::to_string(&Record::of(result)).map_err(|error| SerdesError(error.to_string()))
        };
        let record = match run_group(&cx, &identity, &plan, begin, encode).await {
            GroupEnd::Items(result) => Ok(Record::of(&result)),
            GroupEnd::Recorded(payload) => serde_json::from_str(payload.as_deref().unwrap_or("null")),
        };
        let outcomes = match record {
            Ok(record) => record.into_outcomes(plan.branches),
            Err(error) => {
                let message = format!("the record of {} can't be read: {error}", identity.describe());
                cx.fail(ErrorObject::new("ChildContextError", message)).await
            }
        };
        Ended { cx, identity, plan, outcomes }
    }
}

/// The branches' outcomes, waiting for their types.
struct Ended {
    cx: Cx,
    identity: Identity,
    plan: Plan,
    outcomes: Vec<Option<Outcome>>,
}

impl Ended {
    async fn take<O, K: Codec<O>>(&self, index: usize) -> O {
        let outcome = self.outcomes.get(index).and_then(Option::as_ref);
        let decoded = match outcome {
            Some(outcome) => {
                let id = self.plan.branch_id(&Namespace::of(&self.identity.id), index);
                about(&id, || K::decode(outcome))
            }
            None => Err(SerdesError("it holds no such branch".to_owned())),
        };
        match decoded {
            Ok(value) => value,
            Err(error) => {
                let message =
                    format!("branch {index} in the record of {}: {error}", self.identity.describe());
                self.cx.fail(ErrorObject::new("ChildContextError", message)).await
            }
        }
    }

    fn first(&self, wanted: impl Fn(&Outcome) -> bool) -> Option<usize> {
        self.outcomes.iter().position(|outcome| outcome.as_ref().is_some_and(&wanted))
    }
}

const fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(_))
}

const fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Succeeded(_))
}

/// What `join!` makes.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "`join!` does nothing unless awaited"]
pub struct Join<B> {
    name: Option<&'static str>,
    branches: B,
    max_concurrency: Option<usize>,
}

impl<B> Join<B> {
    /// Runs at most this many branches at a time, in the order in which they are written. Default: all at
    /// once. 0 fails the execution.
    pub const fn max_concurrency(mut self, branches: usize) -> Self {
        self.max_concurrency = Some(branches);
        self
    }
}

#[doc(hidden)]
pub const fn join<B>(name: Option<&'static str>, branches: B) -> Join<B> {
    Join { name, branches, max_concurrency: None }
}

/// What `try_join!` makes.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "`try_join!` does nothing unless awaited"]
pub struct TryJoin<B> {
    name: Option<&'static str>,
    branches: B,
    max_concurrency: Option<usize>,
}

impl<B> TryJoin<B> {
    /// Runs at most this many branches at a time, in the order in which they are written. Default: all at
    /// once. 0 fails the execution.
    pub const fn max_concurrency(mut self, branches: usize) -> Self {
        self.max_concurrency = Some(branches);
        self
    }
}

#[doc(hidden)]
pub const fn try_join<B>(name: Option<&'static str>, branches: B) -> TryJoin<B> {
    TryJoin { name, branches, max_concurrency: None }
}

macro_rules! joins {
    ($($value:ident $codec:ident $branch:ident $index:tt),+) => {
        #[diagnostic::do_not_recommend]
        impl<'a, $($value: Send + 'a, $codec: Codec<$value>),+> DurableOperation
            for Join<($(Branch<'a, $value, $codec>,)+)>
        {
            type Output = ($($value,)+);

            fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
                let branches = vec![$(self.branches.$index.erase()),+];
                let group = Written::claim(cx, self.name, Completion::ALL, self.max_concurrency, branches);
                async move {
                    let ended = group.run().await;
                    ($(ended.take::<$value, $codec>($index).await,)+)
                }
            }
        }

        #[diagnostic::do_not_recommend]
        impl<'a, Failure: Send + 'a, $($value: Send + 'a, $codec: Codec<Result<$value, Failure>>),+> DurableOperation
            for TryJoin<($(Branch<'a, Result<$value, Failure>, $codec>,)+)>
        {
            type Output = Result<($($value,)+), Failure>;

            fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
                let branches = vec![$(self.branches.$index.erase()),+];
                let group = Written::claim(cx, self.name, Completion::default(), self.max_concurrency, branches);
                async move {
                    let ended = group.run().await;
                    if let Some(failed) = ended.first(is_failure) {
                        $(if failed == $index {
                            ended.take::<Result<$value, Failure>, $codec>($index).await?;
                        })+
                    }
                    Ok(($(ended.take::<Result<$value, Failure>, $codec>($index).await?,)+))
                }
            }
        }
    };
}
joins!(A KA a 0);
joins!(A KA a 0, B KB b 1);
joins!(A KA a 0, B KB b 1, C KC c 2);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6, H KH h 7);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6, H KH h 7, I KI i 8);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6, H KH h 7, I KI i 8, J KJ j 9);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6, H KH h 7, I KI i 8, J KJ j 9,
    K KK k 10);
joins!(A KA a 0, B KB b 1, C KC c 2, D KD d 3, E KE e 4, F KF f 5, G KG g 6, H KH h 7, I KI i 8, J KJ j 9,
    K KK k 10, L KL l 11);

/// What `race!` makes: the first branch that ends wins, the others are cancelled.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "`race!` does nothing unless awaited"]
pub struct Race<'a, O, K> {
    name: Option<&'static str>,
    branches: Vec<Branch<'a, O, K>>,
}

#[doc(hidden)]
pub const fn race<'a, O, K>(name: Option<&'static str>, branches: Vec<Branch<'a, O, K>>) -> Race<'a, O, K> {
    Race { name, branches }
}

#[diagnostic::do_not_recommend]
impl<'a, O: Send + 'a, K: Codec<O>> DurableOperation for Race<'a, O, K> {
    type Output = O;

    fn start(self, cx: Cx) -> impl Future<Output = O> + Send {
        let completion = Completion { first_settled: true, ..Completion::default() };
        let branches = self.branches.into_iter().map(Branch::erase).collect();
        let group = Written::claim(cx, self.name, completion, None, branches);
        async move {
            let ended = group.run().await;
            let winner = ended.first(|_| true).unwrap_or_default();
            ended.take::<O, K>(winner).await
        }
    }
}
only_inside!([O, K] Race<'_, O, K>, O);

/// What `select_ok!` makes: the first branch that succeeds wins, the others are cancelled.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "`select_ok!` does nothing unless awaited"]
pub struct SelectOk<'a, O, K> {
    name: Option<&'static str>,
    branches: Vec<Branch<'a, O, K>>,
}

#[doc(hidden)]
pub const fn select_ok<'a, O, K>(
    name: Option<&'static str>,
    branches: Vec<Branch<'a, O, K>>,
) -> SelectOk<'a, O, K> {
    SelectOk { name, branches }
}

#[diagnostic::do_not_recommend]
impl<'a, T: Send + 'a, E: Send + 'a, K: Codec<Result<T, E>>> DurableOperation
    for SelectOk<'a, Result<T, E>, K>
{
    type Output = Result<T, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Result<T, E>> + Send {
        let completion = Completion { min_successful: Some(1), ..Completion::default() };
        let last = self.branches.len().saturating_sub(1);
        let branches = self.branches.into_iter().map(Branch::erase).collect();
        let group = Written::claim(cx, self.name, completion, None, branches);
        async move {
            let ended = group.run().await;
            let decisive = ended.first(is_success).unwrap_or(last);
            ended.take::<Result<T, E>, K>(decisive).await
        }
    }
}
only_inside!([O, K] SelectOk<'_, O, K>, O);
