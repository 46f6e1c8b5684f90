impl Client {
    #[cfg(unix)]
    fn fetch<T: Kind>(
        &self,
        __a1: (u8, u8),
    ) -> my::durable::__private::Step<
        impl my::durable::__private::StepBody<Output = Result<T, E>>,
    > {
        #[allow(unused_imports)]
        use my::durable::__private::{ProbeFallible as _, ProbeInfallible as _};
        struct __DurableMeta;
        impl my::durable::__private::HasMeta for __DurableMeta {
            const META: &'static my::durable::__private::Meta = &my::durable::__private::Meta {
                name: "fetch it",
                file: ::core::file!(),
                line: ::core::line!(),
                version: 1,
                graph: &[],
            };
        }
        my::durable::__private::Step::new(
            my::durable::__private::StepOptions {
                retry: ::core::option::Option::Some(my::durable::__private::RetryPolicy {
                    max_attempts: 1,
                    initial_delay: ::core::time::Duration::from_millis(5000),
                    backoff: 2f64,
                    max_delay: ::core::time::Duration::from_millis(300000),
                    jitter: my::durable::__private::Jitter::Full,
                    retry_if: ::core::option::Option::None,
                }),
                at_most_once: true,
                ..my::durable::__private::StepOptions::DEFAULT
            },
            my::durable::__private::interruptible(
                my::durable::__private::once(
                    __DurableMeta,
                    (&&my::durable::__private::Probe::<
                        Result<T, E>,
                    >(::core::marker::PhantomData))
                        .codec()
                        .with::<Cbor>(),
                    (self, __a1),
                    move |(__a0, __a1)| Self::__durable_body_fetch::<T>(__a0, __a1),
                ),
            ),
        )
    }
    #[cfg(unix)]
    #[doc(hidden)]
    #[instrument]
    #[allow(clippy::unused_async)]
    async fn __durable_body_fetch<T: Kind>(&self, (a, b): (u8, u8)) -> Result<T, E> {
        self.get(a, b).await
    }
}
