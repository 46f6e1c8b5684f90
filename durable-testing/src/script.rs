//! What stands around a workflow under test: fakes of steps, answers to callbacks, functions that are invoked.

use std::{future::Future, sync::Arc};

use durable_runtime::{DurableError, StepInfo};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    answer::{CallbackRequest, IntoAnswer},
    engine::TestEngine,
    outside::ClosureFunction,
};

impl TestEngine {
    /// Replaces the body of every step of this name. What the fake returns is the end of the attempt: recorded
    /// as the step's own, and retried by the step's own policy. The body does not run.
    ///
    /// The fake's `Ok` and `Err` are read as the step's types. It runs inside the step: [`effect`](crate::effect)
    /// knows which one.
    ///
    /// ```
    /// use durable_runtime::prelude::*;
    /// use durable_testing::{TestEngine, virtual_time};
    ///
    /// #[durable_step(retry(max_attempts = 3, initial_delay = "1s"))]
    /// async fn charge(order: u32) -> Result<String, Error> {
    ///     panic!("no test may charge order {order}")
    /// }
    ///
    /// #[durable_execution]
    /// async fn checkout(order: u32) -> Result<String, Error> {
    ///     charge(order).await
    /// }
    ///
    /// virtual_time(async {
    ///     let test = TestEngine::new();
    ///     test.fake_step("charge", |step| match step.attempt {
    ///         1 | 2 => Err(Error::new("the bank is busy")),
    ///         _ => Ok("receipt"),
    ///     });
    ///     let run = test.start(checkout, 7).await;
    ///     assert_eq!(run.result().await.unwrap(), "receipt");
    ///     run.history().await.step("charge").attempts(3).succeeded();
    /// });
    /// ```
    pub fn fake_step<T, E>(
        &self,
        step: impl Into<String>,
        fake: impl Fn(&StepInfo) -> Result<T, E> + Send + Sync + 'static,
    ) where
        T: Serialize + Send + 'static,
        E: DurableError + 'static,
    {
        let fake = Arc::new(fake);
        self.fakes().set(step.into(), move |attempt| {
            let fake = Arc::clone(&fake);
            async move { fake(&attempt) }
        });
    }

    /// As [`TestEngine::fake_step`], with a fake that takes its (virtual) time.
    pub fn fake_step_async<T, E, Fut>(
        &self,
        step: impl Into<String>,
        fake: impl Fn(StepInfo) -> Fut + Send + Sync + 'static,
    ) where
        T: Serialize + Send,
        E: DurableError,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.fakes().set(step.into(), fake);
    }

    /// Answers every callback of this name, in every execution: with an [`Answer`](crate::Answer), which may come
    /// later, or with a `Result`. A later handler of the same name replaces an earlier one.
    ///
    /// ```
    /// use durable_runtime::prelude::*;
    /// use durable_testing::{Answer, TestEngine, virtual_time};
    ///
    /// #[durable_execution]
    /// async fn publish() -> Result<bool, Error> {
    ///     Ok(callback("human_approval").create().await.result().await?)
    /// }
    ///
    /// virtual_time(async {
    ///     let test = TestEngine::new();
    ///     test.on_callback("human_approval", |request| Answer::success(request.number == 1).after("2h"));
    ///     assert!(test.start(publish, ()).await.result().await.unwrap());
    ///     assert_eq!(test.elapsed().as_secs(), 2 * 60 * 60);
    /// });
    /// ```
    pub fn on_callback<R: IntoAnswer>(
        &self,
        name: impl Into<String>,
        answer: impl Fn(&CallbackRequest) -> R + Send + Sync + 'static,
    ) {
        let answer = Arc::new(move |request: &CallbackRequest| answer(request).into_answer());
        self.outside().on_callback(self, name.into(), answer);
    }

    /// Registers a function that workflows invoke, as a closure from its input to its answer.
    ///
    /// ```
    /// use durable_runtime::prelude::*;
    /// use durable_testing::{Answer, TestEngine, virtual_time};
    ///
    /// #[durable_execution]
    /// async fn price(currency: String) -> Result<f64, Error> {
    ///     Ok(100.0 * invoke::<_, f64>("rates", &currency).await?)
    /// }
    ///
    /// virtual_time(async {
    ///     let test = TestEngine::new();
    ///     test.on_invoke("rates", |currency: String| match currency.as_str() {
    ///         "EUR" => Ok(1.5),
    ///         other => Err(Error::new(format!("no rate for {other}"))),
    ///     });
    ///     assert_eq!(test.start(price, "EUR".to_owned()).await.result().await.unwrap(), 150.0);
    /// });
    /// ```
    pub fn on_invoke<I, R>(
        &self,
        function: impl Into<String>,
        answer: impl Fn(I) -> R + Send + Sync + 'static,
    ) where
        I: DeserializeOwned + 'static,
        R: IntoAnswer,
    {
        self.add(Arc::new(ClosureFunction::new(function.into(), self.outside().gates(), answer)));
    }
}
