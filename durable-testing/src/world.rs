//! The outside of an execution: completes callbacks, and survives the engine's death.

use durable_engine::{CallbackError, Engine};
use durable_runtime::protocol::{ErrorObject, OperationStatus, OperationType};
use serde::Serialize;

use crate::{
    answer::{Reply, json},
    engine::{TestEngine, operations},
};

/// Whoever completes an execution's callbacks. It goes on when the engine is killed and revived, and repeats
/// what was not acknowledged, like a real sender.
#[derive(Clone, Debug)]
pub struct World {
    test: TestEngine,
    arn: String,
}

impl World {
    pub(crate) const fn new(test: TestEngine, arn: String) -> Self {
        Self { test, arn }
    }

    /// Waits until a callback of this name is open, and gives its id.
    pub async fn callback(&self, name: &str) -> String {
        let mut lives = self.test.lives();
        loop {
            lives.mark_unchanged();
            let Some(engine) = self.test.try_engine() else {
                // Killed: wait for the next life.
                let _ = lives.changed().await;
                continue;
            };
            // Subscribed before looking, so that nothing is missed in between.
            let mut events = engine.subscribe();
            if let Some(id) = self.open_callback(&engine, name).await {
                return id;
            }
            drop(engine);
            tokio::select! {
                _ = events.recv() => {}
                _ = lives.changed() => {}
            }
        }
    }

    /// Waits until a callback of this name is open, and completes it with a JSON value.
    pub async fn complete<V: Serialize + Sync>(&self, callback: &str, value: &V) {
        let id = self.callback(callback).await;
        self.send(&id, Message::Reply(Reply::Success(json(value)))).await;
    }

    /// Waits until a callback of this name is open, and fails it.
    pub async fn fail(&self, callback: &str, error: ErrorObject) {
        let id = self.callback(callback).await;
        self.send(&id, Message::Reply(Reply::Failure(error))).await;
    }

    /// Sends a heartbeat for an open callback of this name.
    pub async fn heartbeat(&self, callback: &str) {
        let id = self.callback(callback).await;
        self.send(&id, Message::Heartbeat).await;
    }

    /// Completes a callback by its id: at least once, whatever happens to the engine meanwhile.
    pub async fn complete_id<V: Serialize + Sync>(&self, id: &str, value: &V) {
        self.send(id, Message::Reply(Reply::Success(json(value)))).await;
    }

    async fn send(&self, id: &str, message: Message) {
        deliver(&self.test, id, message).await;
    }

    async fn open_callback(&self, engine: &Engine, name: &str) -> Option<String> {
        let operations = operations(engine, &self.arn).await.ok()?;
        operations.into_iter().find_map(|operation| {
            let open = operation.operation_type == OperationType::Callback
                && operation.status == OperationStatus::Started
                && operation.name.as_deref() == Some(name);
            if open { operation.callback_details?.callback_id } else { None }
        })
    }
}

/// Sends a message for a callback until it is acknowledged, or nobody can take it any more.
pub(crate) async fn deliver(test: &TestEngine, id: &str, message: Message) {
    let mut lives = test.lives();
    loop {
        lives.mark_unchanged();
        if let Some(engine) = test.try_engine() {
            let sent = tokio::select! {
                sent = message.send(&engine, id) => Some(sent),
                _ = lives.changed() => None,
            };
            match sent {
                Some(Ok(())) => return,
                // A repetition after a lost acknowledgement finds the callback closed, and who is too late is told so.
                Some(Err(
                    CallbackError::Closed { .. }
                    | CallbackError::Unknown { .. }
                    | CallbackError::TimedOut { .. }
                    | CallbackError::ExecutionEnded { .. },
                )) => return,
                Some(Err(error @ CallbackError::TooLarge { .. })) => panic!("{error}"),
                // The engine dies.
                Some(Err(_)) | None => {}
            }
        } else {
            let _ = lives.changed().await;
        }
    }
}

/// What can be said about a callback.
pub(crate) enum Message {
    Reply(Reply),
    Heartbeat,
}

impl Message {
    async fn send(&self, engine: &Engine, id: &str) -> Result<(), CallbackError> {
        match self {
            Self::Reply(Reply::Success(payload)) => engine.succeed_callback(id, Some(payload.clone())).await,
            Self::Reply(Reply::Failure(error)) => engine.fail_callback(id, Some(error.clone())).await,
            Self::Heartbeat => engine.heartbeat_callback(id).await,
        }
    }
}
