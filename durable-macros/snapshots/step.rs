/// Charges.
pub fn charge(
    order: &Order,
    n: u32,
) -> ::durable_runtime::__private::Step<
    impl ::durable_runtime::__private::StepBody<Output = Result<Receipt, PayError>>,
> {
    #[allow(unused_imports)]
    use ::durable_runtime::__private::{ProbeFallible as _, ProbeInfallible as _};
    struct __DurableMeta;
    impl ::durable_runtime::__private::HasMeta for __DurableMeta {
        const META: &'static ::durable_runtime::__private::Meta = &::durable_runtime::__private::Meta {
            name: "charge",
            file: ::core::file!(),
            line: ::core::line!(),
            version: 1,
            graph: &[],
        };
    }
    #[allow(clippy::unused_async)]
    async fn __durable_body_charge(
        order: &Order,
        mut n: u32,
    ) -> Result<Receipt, PayError> {
        pay(order, n).await
    }
    ::durable_runtime::__private::Step::new(
        ::durable_runtime::__private::StepOptions {
            retry: ::core::option::Option::Some(::durable_runtime::__private::RetryPolicy {
                max_attempts: 5,
                initial_delay: ::core::time::Duration::from_millis(1000),
                backoff: 2f64,
                max_delay: ::core::time::Duration::from_millis(300000),
                jitter: ::durable_runtime::__private::Jitter::Full,
                retry_if: ::core::option::Option::None,
            }),
            timeout: ::core::option::Option::Some(
                ::core::time::Duration::from_millis(30000),
            ),
            ..::durable_runtime::__private::StepOptions::DEFAULT
        },
        ::durable_runtime::__private::interruptible(
            ::durable_runtime::__private::repeat(
                __DurableMeta,
                (&&::durable_runtime::__private::Probe::<
                    Result<Receipt, PayError>,
                >(::core::marker::PhantomData))
                    .codec(),
                (order, n),
                move |(__a0, __a1)| __durable_body_charge(__a0, __a1),
            ),
        ),
    )
}
