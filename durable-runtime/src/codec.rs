//! From a function's return value to its record and back.
//!
//! A `Result` is recorded as success or failure, anything else always as success. Which one a type is gets
//! decided where the type is known, by method probing: see [`Probe`].

use std::{fmt, marker::PhantomData};

use serde::{Serialize, ser};

use crate::{
    error::{Error, short_type_name},
    protocol::{ErrorObject, Payload, limits},
    serdes::{Json, Serdes, SerdesError},
    value::{DurableError, DurableValue},
};

/// The recorded end of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, with this payload if it had any.
    Succeeded(Option<Payload>),
    /// It failed.
    Failed(ErrorObject),
}

/// Encodes values of type `R` as outcomes.
pub trait Codec<R>: Copy + Default + Send + Sync + 'static {
    /// The outcome that `value` is recorded as.
    ///
    /// # Errors
    ///
    /// The value can't be serialised.
    fn encode(value: &R) -> Result<Outcome, SerdesError>;

    /// The value that was recorded as `outcome`.
    ///
    /// # Errors
    ///
    /// The record doesn't fit the type.
    fn decode(outcome: &Outcome) -> Result<R, SerdesError>;

    /// The value that `outcome` holds as JSON, whatever this codec records values as.
    #[doc(hidden)]
    fn decode_json(outcome: &Outcome) -> Result<R, SerdesError>;
}

/// The codec of `Result<T, E>`.
pub struct Fallible<S = Json>(PhantomData<fn() -> S>);

/// The codec of values that are no `Result`.
pub struct Plain<S = Json>(PhantomData<fn() -> S>);

macro_rules! zero_sized {
    ($codec:ident) => {
        impl<S> Clone for $codec<S> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<S> Copy for $codec<S> {}
        impl<S> Default for $codec<S> {
            fn default() -> Self {
                Self(PhantomData)
            }
        }
        impl<S> fmt::Debug for $codec<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($codec))
            }
        }
        impl $codec<Json> {
            /// The same codec with another serdes for values.
            #[must_use]
            pub fn with<S>(self) -> $codec<S> {
                $codec(PhantomData)
            }
        }
    };
}
zero_sized!(Fallible);
zero_sized!(Plain);

impl<T: DurableValue, E: DurableError, S: Serdes<T>> Codec<Result<T, E>> for Fallible<S> {
    fn encode(value: &Result<T, E>) -> Result<Outcome, SerdesError> {
        match value {
            Ok(value) => succeeded(S::serialize(value)),
            Err(error) => encode_error(error).map(Outcome::Failed),
        }
    }

    fn decode(outcome: &Outcome) -> Result<Result<T, E>, SerdesError> {
        match outcome {
            Outcome::Succeeded(payload) => decode_value::<T, S>(payload.as_ref()).map(Ok),
            Outcome::Failed(error) => decode_error(error).map(Err),
        }
    }

    fn decode_json(outcome: &Outcome) -> Result<Result<T, E>, SerdesError> {
        Fallible::<Json>::decode(outcome)
    }
}

impl<T: DurableValue, S: Serdes<T>> Codec<T> for Plain<S> {
    fn encode(value: &T) -> Result<Outcome, SerdesError> {
        succeeded(S::serialize(value))
    }

    fn decode(outcome: &Outcome) -> Result<T, SerdesError> {
        match outcome {
            Outcome::Succeeded(payload) => decode_value::<T, S>(payload.as_ref()),
            Outcome::Failed(error) => Err(SerdesError(format!("it failed: {error}"))),
        }
    }

    fn decode_json(outcome: &Outcome) -> Result<T, SerdesError> {
        Plain::<Json>::decode(outcome)
    }
}

fn succeeded(text: Result<String, SerdesError>) -> Result<Outcome, SerdesError> {
    text.map(|text| Outcome::Succeeded(Some(text.into())))
}

/// An absent payload reads as JSON `null`, as in AWS's SDKs.
pub(crate) fn decode_value<T, S: Serdes<T>>(payload: Option<&Payload>) -> Result<T, SerdesError> {
    S::deserialize(payload.map_or("null", Payload::as_str))
}

/// `ErrorType` is the type's name, `ErrorMessage` its `Display`, `ErrorData` its serde value.
pub(crate) fn encode_error<E: DurableError>(error: &E) -> Result<ErrorObject, SerdesError> {
    let data = serde_json::to_string(error)
        .map_err(|cause| SerdesError(format!("the error `{error}` can't be written as JSON: {cause}")))?;
    let kind = match error.serialize(ContainerName) {
        Err(Named(Some(Error::SERDE_NAME))) => {
            if let Ok(any) = serde_json::from_str(&data) {
                return Ok(encode_any_error(any));
            }
            "Error".to_owned()
        }
        Err(Named(Some(name))) => name.to_owned(),
        Ok(()) | Err(Named(None)) => short_type_name::<E>(),
    };
    Ok(ErrorObject {
        error_message: Some(error.to_string()),
        error_type: Some(kind),
        error_data: Some(data),
        stack_trace: None,
    })
}

/// Our own error is only words, which may be shortened until the record holds them.
fn encode_any_error(mut any: Error) -> ErrorObject {
    let mut longest = limits::ERROR_OBJECT / 4;
    loop {
        let object = ErrorObject {
            error_message: Some(any.to_string()),
            error_type: Some(any.kind().to_owned()),
            error_data: serde_json::to_string(&any).ok(),
            stack_trace: None,
        };
        if longest == 0 || fits(&object) {
            return object;
        }
        any.shorten(longest);
        longest /= 2;
    }
}

/// True when the service takes this error as it is.
pub(crate) fn fits(error: &ErrorObject) -> bool {
    serde_json::to_string(error).is_ok_and(|json| json.len() < limits::ERROR_OBJECT)
}

pub(crate) fn decode_error<E: DurableError>(error: &ErrorObject) -> Result<E, SerdesError> {
    match &error.error_data {
        Some(data) => serde_json::from_str(data)
            .map_err(|cause| SerdesError::about(data, std::any::type_name::<E>(), cause)),
        // Nothing that we recorded: an interruption or a panic whose error type could not carry it.
        None => Err(SerdesError(format!("it failed: {error}"))),
    }
}

/// The error that was recorded, if it was one of type `E`.
pub(crate) fn read_error<E: DurableError>(recorded: &ErrorObject) -> Option<E> {
    let error = decode_error(recorded).ok()?;
    // Data of another type may happen to fit.
    let kind = encode_error::<E>(&error).ok()?.error_type;
    (kind == recorded.error_type).then_some(error)
}

/// Method probing: `(&&Probe::<R>::default()).codec()` picks [`Fallible`] for a `Result` and [`Plain`] for
/// everything else, because a method is looked up on fewer references first.
#[doc(hidden)]
pub struct Probe<R>(pub PhantomData<fn() -> R>);

impl<R> Probe<R> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Probe<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Probe<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

#[doc(hidden)]
pub trait ProbeFallible {
    fn codec(&self) -> Fallible<Json> {
        Fallible::default()
    }
}
impl<T, E> ProbeFallible for &Probe<Result<T, E>> {}

#[doc(hidden)]
pub trait ProbePlain {
    fn codec(&self) -> Plain<Json> {
        Plain::default()
    }
}
impl<R> ProbePlain for Probe<R> {}

/// A serializer that only learns the serde name of what it is given: the stable, renameable name of a type.
struct ContainerName;

/// "Failed" with the name, which stops the serialisation at once.
#[derive(Debug)]
struct Named(Option<&'static str>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an error: the name was found")
    }
}
impl std::error::Error for Named {}
impl ser::Error for Named {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

type Nothing = ser::Impossible<(), Named>;

macro_rules! nameless {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Named> { Err(Named(None)) })*
    };
}

impl ser::Serializer for ContainerName {
    type Ok = ();
    type Error = Named;
    type SerializeSeq = Nothing;
    type SerializeTuple = Nothing;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeMap = Nothing;
    type SerializeStruct = Nothing;
    type SerializeStructVariant = Nothing;

    nameless! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
    }

    fn serialize_none(self) -> Result<(), Named> {
        Err(Named(None))
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Named> {
        Err(Named(None))
    }
    fn serialize_unit(self) -> Result<(), Named> {
        Err(Named(None))
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Named> {
        Err(Named(Some(name)))
    }
    fn serialize_unit_variant(self, name: &'static str, _: u32, _: &'static str) -> Result<(), Named> {
        Err(Named(Some(name)))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, _: &T) -> Result<(), Named> {
        Err(Named(Some(name)))
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Named> {
        Err(Named(Some(name)))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Nothing, Named> {
        Err(Named(None))
    }
    fn serialize_tuple(self, _: usize) -> Result<Nothing, Named> {
        Err(Named(None))
    }
    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Nothing, Named> {
        Err(Named(Some(name)))
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Named> {
        Err(Named(Some(name)))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Nothing, Named> {
        Err(Named(None))
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Nothing, Named> {
        Err(Named(Some(name)))
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Named> {
        Err(Named(Some(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
    enum PayError {
        #[error("declined")]
        Declined,
        #[error("limit {0}")]
        Limit(u32),
    }

    #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    #[serde(rename = "TransientError")]
    #[error("try again")]
    struct Renamed {}

    type Alias<T> = Result<T, PayError>;

    fn is_fallible<R, K: Codec<R>>(_: K) -> bool {
        std::any::type_name::<K>().contains("Fallible")
    }

    #[expect(clippy::needless_borrow, reason = "the references are what the macros emit for every type")]
    #[test]
    fn results_are_fallible_by_any_name_and_nothing_else_is() {
        assert!(is_fallible::<Result<u32, PayError>, _>((&&Probe::<Result<u32, PayError>>::new()).codec()));
        assert!(is_fallible::<Alias<u32>, _>((&&Probe::<Alias<u32>>::new()).codec()));
        assert!(!is_fallible::<Option<u32>, _>((&&Probe::<Option<u32>>::new()).codec()));
        assert!(!is_fallible::<(), _>((&&Probe::<()>::new()).codec()));
    }

    #[test]
    fn errors_keep_type_message_and_data() {
        let stored = Fallible::<Json>::encode(&Err::<u32, _>(PayError::Limit(3))).unwrap();
        let Outcome::Failed(error) = &stored else { panic!("{stored:?}") };
        assert_eq!(error.to_string(), "PayError: limit 3");
        assert_eq!(error.error_data.as_deref(), Some(r#"{"Limit":3}"#));
        assert_eq!(Fallible::<Json>::decode(&stored), Ok(Err::<u32, _>(PayError::Limit(3))));
        assert_eq!(encode_error(&PayError::Declined).unwrap().kind(), Some("PayError"));
    }

    #[test]
    fn the_serde_name_is_the_error_type() {
        assert_eq!(encode_error(&Renamed {}).unwrap().kind(), Some("TransientError"));
        assert_eq!(encode_error(&"text".to_owned()).unwrap().kind(), Some("String"));
        let any = Error::from("x".parse::<u32>().unwrap_err());
        assert_eq!(encode_error(&any).unwrap().kind(), Some("ParseIntError"));
    }

    #[test]
    fn a_record_of_another_type_names_both_sides() {
        let error =
            Plain::<Json>::decode(&Outcome::Succeeded(Some("\"a\"".into()))).map(|_: u32| ()).unwrap_err();
        assert!(error.0.contains("`\"a\"`") && error.0.contains("`u32`"), "{error}");
    }
}
