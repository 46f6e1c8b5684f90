//! What can be stored, with the words of the compiler for what can't.

use std::fmt::Display;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{Codec as _, Fallible, Outcome, decode_value},
    error::Interrupted,
    protocol::Payload,
    serdes::{Serdes, SerdesError},
};

/// A value that survives replay: anything that serde can write and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a checkpoint",
    label = "not a durable value",
    note = "what a durable operation gives is recorded, and read back on every replay",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return a part that is serialisable"
)]
pub trait DurableValue: Serialize + DeserializeOwned + Send {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> DurableValue for T {}

/// An error that survives replay, with its type, its message and its data.
#[diagnostic::on_unimplemented(
    message = "error type `{Self}` can't survive replay",
    label = "not a durable error",
    note = "an error is recorded like a value: it needs `serde::Serialize`, `serde::Deserialize` and `std::fmt::Display`",
    note = "derive them, or return `durable_runtime::Error`, which `?` makes from any `std::error::Error`"
)]
pub trait DurableError: Display + Serialize + DeserializeOwned + Send {}
#[diagnostic::do_not_recommend]
impl<T: Display + Serialize + DeserializeOwned + Send> DurableError for T {}

/// An error that can say "interrupted".
#[diagnostic::on_unimplemented(
    message = "the error type of a step with `at_most_once` or `timeout` must be able to say \"interrupted\"",
    label = "`{Self}` can't be made from `durable_runtime::Interrupted`",
    note = "an attempt that was cut off has no answer of its own: its caller gets `Err({Self}::from(interrupted))`",
    note = "add `impl From<durable_runtime::Interrupted> for {Self}`"
)]
pub trait FromInterrupted: From<Interrupted> {}
#[diagnostic::do_not_recommend]
impl<T: From<Interrupted>> FromInterrupted for T {}

/// What a callback delivers, read by the serdes `S`.
#[diagnostic::on_unimplemented(
    message = "the type that a callback delivers is missing or can't be restored: `{Self}`",
    label = "what does this callback deliver?",
    note = "name it: `let answer: Approval = callback(..)` or `callback::<Approval>(..)`, where `Approval` derives `Serialize` and `Deserialize`"
)]
pub trait CallbackValue<S>: Send + Sized {
    #[doc(hidden)]
    fn read(payload: Option<&Payload>) -> Result<Self, SerdesError>;

    #[doc(hidden)]
    fn read_context<E: DurableError>(outcome: &Outcome) -> Result<Result<Self, E>, SerdesError>;
}
#[diagnostic::do_not_recommend]
impl<T: DurableValue, S: Serdes<T>> CallbackValue<S> for T {
    fn read(payload: Option<&Payload>) -> Result<Self, SerdesError> {
        decode_value::<T, S>(payload)
    }

    fn read_context<E: DurableError>(outcome: &Outcome) -> Result<Result<Self, E>, SerdesError> {
        Fallible::<S>::decode(outcome)
    }
}

/// An argument of a step that may be tried more than once.
#[diagnostic::on_unimplemented(
    message = "a step that may be retried needs every argument to be `Clone`",
    label = "`{Self}` is not `Clone`",
    note = "each attempt gets its own copy: derive `Clone`, take `&{Self}` (free) or `std::sync::Arc<{Self}>`, or allow a single attempt with `retry(none)`"
)]
pub trait Repeatable: Clone + Send {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send> Repeatable for T {}

/// The arguments of a step, copied for each attempt.
#[doc(hidden)]
pub trait Arguments: Send {
    fn copy(&self) -> Self;
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: Repeatable),*> Arguments for ($($name,)*) {
            #[allow(non_snake_case, clippy::unused_unit, reason = "one pattern for every arity")]
            fn copy(&self) -> Self {
                let ($($name,)*) = self;
                ($($name.clone(),)*)
            }
        }
    };
}
arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);
arguments!(A B C D E F G H I);
arguments!(A B C D E F G H I J);
arguments!(A B C D E F G H I J K);
arguments!(A B C D E F G H I J K L);
