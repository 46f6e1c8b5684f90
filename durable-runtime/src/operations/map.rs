//! `map` and `parallel`: one function over many items, or many operations of one type.

use std::{future::Future, marker::PhantomData};

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    codec::{Codec, Fallible},
    core::identity::Namespace,
    operation::{DurableOperation, only_inside},
    operations::{
        child::claim_context,
        group::{Completion, CompletionReason, GroupEnd, GroupResult, ItemEnd, ItemStatus, Plan, run_group},
    },
    protocol::{ErrorObject, OperationId, sub_type},
    scope::Cx,
    serdes::{Json, Serdes, SerdesError, about},
    value::{DurableError, DurableValue},
};

/// Runs `f` over the items, each in a child context of its own, all at once unless told otherwise.
///
/// Awaiting gives `Result<Vec<T>, E>`: the values in the items' order, or the error of the first failed item.
/// By default the first failure ends the map and cancels the rest. [`Map::outcome`] gives each item's status
/// instead.
///
/// Items are told apart by their index; if their order may differ between runs, name them by
/// [`Map::key_by`].
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn price(item: String) -> Result<usize, Error> {
///     Ok(item.len())
/// }
///
/// #[durable_execution]
/// async fn total(items: Vec<String>) -> Result<usize, Error> {
///     let prices = map(items, |item| price(item)).max_concurrency(8).await?;
///     Ok(prices.into_iter().sum())
/// }
/// ```
pub fn map<I, F, O>(items: I, f: F) -> Map<I::Item, F>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> O,
    O: DurableOperation,
{
    Map::new(MAP, items, f)
}

/// Runs operations of one type at once, each in a child context of its own.
///
/// The same options and results as [`map`]; for operations of different types see `join!`.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn probe(host: &str) -> Result<bool, Error> {
///     Ok(!host.is_empty())
/// }
///
/// #[durable_execution]
/// async fn any_up(hosts: Vec<String>) -> Result<Vec<bool>, Error> {
///     parallel(hosts.iter().map(|host| probe(host))).min_successful(1).await
/// }
/// ```
pub fn parallel<I: IntoIterator>(operations: I) -> Parallel<I::Item> {
    Map::new(PARALLEL, operations, std::convert::identity)
}

/// A map whose items are the operations themselves; see [`parallel`].
pub type Parallel<O> = Map<O, fn(O) -> O>;

#[derive(Clone, Copy, Debug)]
struct Kind {
    group: &'static str,
    branch: &'static str,
    prefix: &'static str,
}

const MAP: Kind = Kind { group: sub_type::MAP, branch: sub_type::MAP_ITERATION, prefix: "map-item" };
const PARALLEL: Kind =
    Kind { group: sub_type::PARALLEL, branch: sub_type::PARALLEL_BRANCH, prefix: "parallel-branch" };

/// See [`map`] and [`parallel`].
#[must_use = "a durable operation does nothing unless awaited"]
pub struct Map<I, F, S = Json, W = Json> {
    kind: Kind,
    items: Vec<I>,
    f: F,
    name: Option<CompactString>,
    max_concurrency: Option<usize>,
    completion: Completion,
    flat: bool,
    keys: Option<Vec<String>>,
    names: Option<Vec<String>>,
    _serdes: PhantomData<fn() -> (S, W)>,
}

impl<I, F, S, W> std::fmt::Debug for Map<I, F, S, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map")
            .field("name", &self.name)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

impl<I, F> Map<I, F> {
    fn new(kind: Kind, items: impl IntoIterator<Item = I>, f: F) -> Self {
        Self {
            kind,
            items: items.into_iter().collect(),
            f,
            name: None,
            max_concurrency: None,
            completion: Completion::default(),
            flat: false,
            keys: None,
            names: None,
            _serdes: PhantomData,
        }
    }
}

impl<I, F, S, W> Map<I, F, S, W> {
    /// Records the whole group under a name: 1 to 256 printable ASCII characters.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// Runs at most this many items at a time, in index order. An item that waits keeps its place. Default:
    /// all at once. 0 fails the execution.
    pub const fn max_concurrency(mut self, items: usize) -> Self {
        self.max_concurrency = Some(items);
        self
    }

    /// Ends the group when this many items have succeeded; the rest is cancelled. Alone, it tolerates every
    /// failure.
    pub const fn min_successful(mut self, items: usize) -> Self {
        self.completion.min_successful = Some(items);
        self
    }

    /// Ends the group when more than this many items have failed.
    pub const fn tolerated_failures(mut self, items: usize) -> Self {
        self.completion.tolerated_failures = Some(items);
        self
    }

    /// Ends the group when more than this percentage of all items have failed.
    pub const fn tolerated_failure_percentage(mut self, percentage: f64) -> Self {
        self.completion.tolerated_failure_percentage = Some(percentage);
        self
    }

    /// Runs every item to its end, however many fail.
    pub const fn all_settled(mut self) -> Self {
        self.completion = Completion::ALL;
        self
    }

    /// Tells items apart by a key instead of their index, so that their order may differ between runs.
    pub fn key_by<K: ToString>(mut self, key: impl FnMut(&I) -> K) -> Self {
        self.keys = Some(self.items.iter().map(key).map(|key| key.to_string()).collect());
        self
    }

    /// Names the items' contexts. Default: `map-item-0`, `map-item-1` … or `parallel-branch-0` ….
    pub fn item_name<N: ToString>(mut self, mut name: impl FnMut(usize, &I) -> N) -> Self {
        let names = self.items.iter().enumerate().map(|(index, item)| name(index, item).to_string());
        self.names = Some(names.collect());
        self
    }

    /// Records no context for each item: fewer operations, but an item's result is rebuilt from its own
    /// operations until the group has ended.
    pub const fn flat(mut self) -> Self {
        self.flat = true;
        self
    }

    /// Stores each item's value with another serdes.
    pub fn item_serdes<R>(self) -> Map<I, F, R, W> {
        self.with_serdes()
    }

    /// Stores the whole [`Batch`] with another serdes.
    pub fn serdes<R>(self) -> Map<I, F, S, R> {
        self.with_serdes()
    }

    /// Gives each item's status and the reason of completion, instead of values or the first error.
    pub const fn outcome(self) -> MapOutcome<I, F, S, W> {
        MapOutcome(self)
    }

    fn with_serdes<S2, W2>(self) -> Map<I, F, S2, W2> {
        Map {
            kind: self.kind,
            items: self.items,
            f: self.f,
            name: self.name,
            max_concurrency: self.max_concurrency,
            completion: self.completion,
            flat: self.flat,
            keys: self.keys,
            names: self.names,
            _serdes: PhantomData,
        }
    }

    fn plan(&mut self) -> Plan {
        let names = match self.names.take() {
            Some(names) => names.into_iter().map(|name| Some(name.into())).collect(),
            None => {
                let prefix = self.kind.prefix;
                (0..self.items.len()).map(|index| Some(format_compact!("{prefix}-{index}"))).collect()
            }
        };
        Plan {
            branches: self.items.len(),
            branch_sub_type: self.kind.branch,
            max_concurrency: self.max_concurrency,
            completion: self.completion,
            flat: self.flat,
            keys: self.keys.take(),
            names,
        }
    }
}

#[diagnostic::do_not_recommend]
impl<I, F, O, T, E, S, W> DurableOperation for Map<I, F, S, W>
where
    I: Send,
    F: FnMut(I) -> O + Send,
    O: DurableOperation<Output = Result<T, E>>,
    T: DurableValue,
    E: DurableError,
    S: Serdes<T>,
    W: Serdes<Batch<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        let batch = MapOutcome(self).start(cx);
        async move { batch.await.into_results() }
    }
}
only_inside!([I, F, S, W] Map<I, F, S, W>, F);

/// See [`Map::outcome`].
#[derive(Debug)]
#[must_use = "a durable operation does nothing unless awaited"]
pub struct MapOutcome<I, F, S = Json, W = Json>(Map<I, F, S, W>);

#[diagnostic::do_not_recommend]
impl<I, F, O, T, E, S, W> DurableOperation for MapOutcome<I, F, S, W>
where
    I: Send,
    F: FnMut(I) -> O + Send,
    O: DurableOperation<Output = Result<T, E>>,
    T: DurableValue,
    E: DurableError,
    S: Serdes<T>,
    W: Serdes<Batch<T, E>>,
{
    type Output = Batch<T, E>;

    fn start(mut self, cx: Cx) -> impl Future<Output = Batch<T, E>> + Send {
        let plan = self.0.plan();
        // Checked before the identity is claimed: a wrong plan records nothing.
        let wrong = plan.check().err();
        let identity = wrong.is_none().then(|| claim_context(&cx, self.0.kind.group, self.0.name.clone()));
        async move {
            let Some(identity) = identity else {
                let message = format!(
                    "{} `{}`: {}",
                    self.0.kind.group.to_lowercase(),
                    self.0.name.unwrap_or_default(),
                    wrong.unwrap_or_default()
                );
                cx.fail(ErrorObject::new("ValidationError", message)).await
            };
            let mut items: Vec<Option<I>> = self.0.items.into_iter().map(Some).collect();
            let mut f = self.0.f;
            let begin = |index: usize, id: OperationId, cx: Cx| {
                let item = items.get_mut(index).and_then(Option::take);
                let item = item.expect("a group starts each branch once");
                let performing = cx.enter(|| f(item)).start(cx.clone());
                async move {
                    let ended = performing.await;
                    about(&id, || Fallible::<S>::encode(&ended))
                }
            };
            let namespace = Namespace::of(&identity.id);
            let read = |result: &GroupResult| {
                Batch::<T, E>::decode::<S>(result, |index| plan.branch_id(&namespace, index))
            };
            let encode = |result: &GroupResult| W::serialize(&read(result)?);
            let decoded = match run_group(&cx, &identity, &plan, begin, encode).await {
                GroupEnd::Recorded(payload) => {
                    about(&identity.id, || W::deserialize(payload.as_deref().unwrap_or("null")))
                }
                GroupEnd::Items(result) => read(&result),
            };
            match decoded {
                Ok(batch) => batch,
                Err(error) => {
                    let message =
                        format!("the record of {} does not fit its type: {error}", identity.describe());
                    cx.fail(ErrorObject::new("ChildContextError", message)).await
                }
            }
        }
    }
}
only_inside!([I, F, S, W] MapOutcome<I, F, S, W>, F);

/// How the items of a [`map`] or [`parallel`] ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch<T, E> {
    /// The items that were started, in index order.
    pub all: Vec<BatchItem<T, E>>,
    /// Why the group ended.
    pub completion_reason: CompletionReason,
}

/// How one item ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>, E: Deserialize<'de>"))]
pub struct BatchItem<T, E> {
    /// Which item.
    pub index: usize,
    /// Where it stood when the group ended.
    pub status: ItemStatus,
    /// Its value, if it succeeded.
    #[serde(default = "none", deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub result: Option<T>,
    /// Its error, if it failed.
    #[serde(default = "none", deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub error: Option<E>,
}

/// Serde's own `default` would ask for `T: Default`.
fn none<T>() -> Option<T> {
    None
}

/// A member that is there is a value, also when it is `null`: that is how `()` is written.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<T, E> Batch<T, E> {
    /// The values of the items that succeeded, in index order, or the error of the first that failed.
    ///
    /// # Errors
    ///
    /// An item failed.
    pub fn into_results(self) -> Result<Vec<T>, E> {
        let ended = self.all.into_iter().filter_map(|item| match (item.result, item.error) {
            (Some(value), _) => Some(Ok(value)),
            (None, Some(error)) => Some(Err(error)),
            (None, None) => None,
        });
        ended.collect()
    }

    /// The values of the items that succeeded, in index order.
    pub fn succeeded(&self) -> impl Iterator<Item = &T> {
        self.all.iter().filter_map(|item| item.result.as_ref())
    }

    /// The errors of the items that failed, in index order.
    pub fn errors(&self) -> impl Iterator<Item = &E> {
        self.all.iter().filter_map(|item| item.error.as_ref())
    }

    /// True when an item failed.
    #[must_use]
    pub fn has_failure(&self) -> bool {
        self.count(ItemStatus::Failed) > 0
    }

    /// The batch as a whole: failed when an item failed.
    #[must_use]
    pub fn status(&self) -> ItemStatus {
        if self.has_failure() { ItemStatus::Failed } else { ItemStatus::Succeeded }
    }

    /// How many items have this status.
    #[must_use]
    pub fn count(&self, status: ItemStatus) -> usize {
        self.all.iter().filter(|item| item.status == status).count()
    }
}

impl<T: DurableValue, E: DurableError> Batch<T, E> {
    /// `id` gives each item's identity.
    fn decode<S: Serdes<T>>(
        result: &GroupResult,
        id: impl Fn(usize) -> OperationId,
    ) -> Result<Self, SerdesError> {
        let item = |(index, end): (usize, &ItemEnd)| {
            let (status, result, error) = match end {
                ItemEnd::NotStarted => return None,
                ItemEnd::Started => (ItemStatus::Started, None, None),
                ItemEnd::Ended(outcome) => match about(&id(index), || Fallible::<S>::decode(outcome)) {
                    Ok(Ok(value)) => (ItemStatus::Succeeded, Some(value), None),
                    Ok(Err(error)) => (ItemStatus::Failed, None, Some(error)),
                    Err(error) => return Some(Err(error)),
                },
            };
            Some(Ok(BatchItem { index, status, result, error }))
        };
        let all = result.items.iter().enumerate().filter_map(item).collect::<Result<_, _>>()?;
        Ok(Self { all, completion_reason: result.reason })
    }
}
