//! Versions of a function: which one an execution was begun with, recorded where that matters.
//!
//! A function that declares no version records nothing. One with `version = 2` or more begins with a step of the
//! name `version`, whose result is the number, unless its history shows that it was begun before that was
//! declared: then it is version 1 for ever.

use compact_str::CompactString;

use crate::{
    core::{Fatal, mismatch, outbox::Urgency},
    operations::{settle::outcome_of, step::Meta},
    protocol::{ErrorObject, OperationAction, OperationType, Payload, sub_type},
    scope::Cx,
};

/// The version of a function that declares none.
const FIRST: u32 = 1;

/// What a context knows of its function's versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    /// The one that it was begun with.
    recorded: u32,
    declared: u32,
    function: &'static str,
}

impl Cx {
    /// Finds out, or decides, which version of its function this context runs. Before anything else in it.
    pub(crate) async fn begin_version(&self, meta: &'static Meta) {
        let recorded = if meta.version > FIRST { self.recorded_version(meta).await } else { FIRST };
        if recorded > meta.version {
            let message = format!(
                "[D005] this execution was begun by version {recorded} of `{}`, and this program has version {}; \
                 deploy version {recorded} or a later one",
                meta.name, meta.version
            );
            self.diverge(message).await;
        }
        self.set_version(Version { recorded, declared: meta.version, function: meta.name });
    }

    async fn recorded_version(&self, meta: &'static Meta) -> u32 {
        // Asked before the marker is claimed, which may be all there is.
        let has_history = self.is_replaying();
        let name = CompactString::const_new("version");
        let id = self.version_id();
        let marker = self.recorded(&id, |operation| operation.map(outcome_of));
        if marker.is_none() && has_history {
            return FIRST;
        }
        let identity = self.claim_id(id, OperationType::Step, sub_type::STEP, Some(name));
        let outcome = match marker {
            Some(Some(outcome)) => outcome,
            // The process died between the two updates: nothing that depends on them is durable.
            marker => {
                if marker.is_none() {
                    self.push(identity.update(OperationAction::Start), Urgency::Lazy);
                }
                let mut succeed = identity.update(OperationAction::Succeed);
                succeed.payload = Some(Payload::from(meta.version.to_string()));
                self.push(succeed, Urgency::Lazy);
                return meta.version;
            }
        };
        let crate::Outcome::Succeeded(Some(payload)) = &outcome else {
            self.diverge(format!("[D005] {} holds no version", identity.describe())).await
        };
        match payload.parse() {
            Ok(version) => version,
            Err(_) => self.diverge(format!("[D005] {} holds no version", identity.describe())).await,
        }
    }

    async fn diverge(&self, message: String) -> ! {
        self.run().fail(Fatal::Diverged(ErrorObject::new(mismatch::ERROR_TYPE, message)));
        match std::future::pending::<std::convert::Infallible>().await {}
    }
}

/// Whether the function that is polled was begun with `version` or a later one: what `versioned!` asks.
///
/// # Panics
///
/// Outside of durable code. The macros emit calls only there.
#[doc(hidden)]
#[must_use]
pub fn is_version(version: u32) -> bool {
    let cx = Cx::current();
    let Some(known) = cx.version() else { return false };
    if version > known.declared {
        let message = format!(
            "`versioned!` asks for version {version} of `{}`, which declares version {}; \
             write `#[durable_execution(version = {version})]`",
            known.function, known.declared
        );
        cx.run().fail(Fatal::Fail(ErrorObject::new("VersionError", message)));
    }
    known.recorded >= version
}

/// The end of an execution that was begun with a version that `versioned!` has no branch for.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unsupported;

impl crate::DurableOperation for Unsupported {
    type Output = std::convert::Infallible;

    async fn start(self, cx: Cx) -> std::convert::Infallible {
        let (recorded, function) =
            cx.version().map_or((FIRST, ""), |version| (version.recorded, version.function));
        cx.diverge(format!(
            "[D006] this execution was begun by version {recorded} of `{function}`, which this program has no \
             branch for any more; deploy a program that still has one until such executions have ended"
        ))
        .await
    }
}
