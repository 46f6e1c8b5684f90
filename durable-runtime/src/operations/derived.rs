//! Values that differ between runs elsewhere and never here: the clock, identifiers, random numbers.

use std::future::Future;

use compact_str::CompactString;
use uuid::Uuid;

use crate::{
    codec::{Codec, Outcome, Plain},
    core::{identity::derived_bits, outbox::Urgency},
    operation::{DurableOperation, only_inside},
    operations::settle::{outcome_of, settle_step},
    protocol::{ErrorObject, OperationAction, OperationType, Timestamp, sub_type},
    scope::Cx,
};

/// The current moment, recorded: every replay sees the one of the first run.
///
/// It is a step named `now`, whose record travels with the next checkpoint call and costs none of its own.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn stamped() -> Result<Timestamp, Error> {
///     Ok(now().await)
/// }
/// ```
pub const fn now() -> Now {
    Now(())
}

/// See [`now`].
#[derive(Debug)]
#[must_use = "a durable operation does nothing unless awaited"]
pub struct Now(());

#[diagnostic::do_not_recommend]
impl DurableOperation for Now {
    type Output = Timestamp;

    fn start(self, cx: Cx) -> impl Future<Output = Timestamp> + Send {
        let name = Some(CompactString::const_new("now"));
        let identity = cx.claim(OperationType::Step, sub_type::STEP, name);
        async move {
            let recorded = cx.recorded(&identity.id, |operation| operation.map(outcome_of));
            let outcome = match recorded {
                Some(Some(outcome)) => outcome,
                unfinished => {
                    let moment = cx.now().as_millis().to_string();
                    let outcome = Outcome::Succeeded(Some(moment.into()));
                    if unfinished.is_none() {
                        cx.push(identity.update(OperationAction::Start), Urgency::Lazy);
                    }
                    if let Err(error) = settle_step(&cx, &identity, &outcome) {
                        cx.fail(error).await;
                    }
                    outcome
                }
            };
            match <Plain>::decode(&outcome) {
                Ok(moment) => moment,
                Err(error) => {
                    let message =
                        format!("the record of {} does not fit its type: {error}", identity.describe());
                    cx.fail(ErrorObject::new("StepError", message)).await
                }
            }
        }
    }
}
only_inside!([] Now, Timestamp);

/// A fresh UUID, the same one on every replay.
///
/// Derived from the execution's ARN and the operation's identity, so it needs no checkpoint. Whoever knows
/// both could compute it: make secrets in a step instead. Version 8, the one for custom schemes.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn labelled() -> Result<String, Error> {
///     Ok(uuid().await.to_string())
/// }
/// ```
pub const fn uuid() -> Derived<Uuid> {
    Derived("Uuid", |bits| Uuid::new_v8(bits.to_be_bytes()))
}

/// A random number, the same one on every replay: any integer, `bool`, or an `f64` in `0.0..1.0`.
///
/// Derived like [`uuid()`], without a checkpoint; not for secrets.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn sampled() -> Result<bool, Error> {
///     Ok(random::<f64>().await < 0.1)
/// }
/// ```
pub fn random<T: Random>() -> Derived<T> {
    Derived("Random", T::from_bits)
}

/// A type of which [`random`] can make values.
pub trait Random {
    /// The value that `bits` stand for.
    fn from_bits(bits: u128) -> Self;
}

macro_rules! random_integers {
    ($($integer:ty)*) => {
        $(impl Random for $integer {
            fn from_bits(bits: u128) -> Self {
                bits as Self
            }
        })*
    };
}
random_integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Random for bool {
    fn from_bits(bits: u128) -> Self {
        bits & 1 == 1
    }
}

impl Random for f64 {
    fn from_bits(bits: u128) -> Self {
        (bits as u64 >> 11) as Self / (1_u64 << 53) as Self
    }
}

/// See [`uuid()`] and [`random`].
#[derive(Debug)]
#[must_use = "a durable operation does nothing unless awaited"]
pub struct Derived<T>(&'static str, fn(u128) -> T);

#[diagnostic::do_not_recommend]
impl<T: Send> DurableOperation for Derived<T> {
    type Output = T;

    fn start(self, cx: Cx) -> impl Future<Output = T> + Send {
        let id = cx.draw(self.0);
        let value = self.1(derived_bits(&cx.run().arn, &id, 0));
        std::future::ready(value)
    }
}
only_inside!([T: Send] Derived<T>, T);
