//! Who waits for a callback to be delivered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The callbacks whose delivery somebody waits for; for each of them one.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    expected: Mutex<HashMap<String, Expected>>,
}

/// A result, and who waits until it is delivered.
#[derive(Debug)]
struct Expected {
    result: String,
    sender: oneshot::Sender<()>,
}

/// The wait for one delivery.
#[derive(Debug)]
pub(crate) struct ExpectedDelivery {
    callback_id: String,
    deliveries: Arc<Deliveries>,
    receiver: oneshot::Receiver<()>,
}

impl Deliveries {
    pub(super) fn expect(self: &Arc<Self>, callback_id: &str, result: String) -> ExpectedDelivery {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(callback_id.to_owned(), Expected { result, sender });
        ExpectedDelivery { callback_id: callback_id.to_owned(), deliveries: Arc::clone(self), receiver }
    }

    /// This result was delivered, and that is durable.
    pub(super) fn tell(&self, callback_id: &str, result: &str) {
        let mut expected = self.lock();
        // Another result is the business of another request.
        if expected.get(callback_id).is_some_and(|expected| expected.result == result)
            && let Some(Expected { sender, .. }) = expected.remove(callback_id)
        {
            // Who went away in the meantime hears nothing.
            let _ = sender.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpectedDelivery {
    /// Ready when it is delivered; never, if that does not happen.
    pub(crate) async fn delivered(&mut self) {
        if (&mut self.receiver).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for ExpectedDelivery {
    fn drop(&mut self) {
        self.receiver.close();
        let mut expected = self.deliveries.lock();
        if expected.get(&self.callback_id).is_some_and(|expected| expected.sender.is_closed()) {
            expected.remove(&self.callback_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_delivery_is_told_to_who_expects_it_and_forgotten() {
        let deliveries = Arc::new(Deliveries::default());
        let (mut a, b) = (deliveries.expect("a", "1".into()), deliveries.expect("b", "1".into()));
        deliveries.tell("a", "1");
        deliveries.tell("b", "2");
        deliveries.tell("c", "1");
        assert_eq!(deliveries.lock().len(), 1, "another result of `b` is not the one that is expected");
        a.delivered().await;
        drop(b);
        assert!(deliveries.lock().is_empty());
    }
}
