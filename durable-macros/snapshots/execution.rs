fn checkout(
    order: Order,
) -> ::durable_runtime::__private::Execution<
    impl ::durable_runtime::__private::ExecutionBody<Output = Result<Summary, PayError>>,
> {
    #[allow(unused_imports)]
    use ::durable_runtime::__private::{ProbeFallible as _, ProbeInfallible as _};
    struct __DurableMeta;
    impl ::durable_runtime::__private::HasMeta for __DurableMeta {
        const META: &'static ::durable_runtime::__private::Meta = &::durable_runtime::__private::Meta {
            name: "checkout",
            file: ::core::file!(),
            line: ::core::line!(),
            version: 1,
            graph: &[
                ::durable_runtime::__private::graph::Node::Operation {
                    kind: ::durable_runtime::__private::graph::Kind::Call,
                    name: "charge",
                    line: 2,
                },
                ::durable_runtime::__private::graph::Node::Exit(
                    ::durable_runtime::__private::graph::Exit::Error,
                ),
                ::durable_runtime::__private::graph::Node::Operation {
                    kind: ::durable_runtime::__private::graph::Kind::Call,
                    name: "block",
                    line: 4,
                },
            ],
        };
    }
    #[allow(clippy::unused_async)]
    async fn __durable_body_checkout(order: Order) -> Result<Summary, PayError> {
        #[allow(unused_imports)]
        use ::durable_runtime::__private::DurableAwait as _;
        let receipt = charge(&order).__durable_await().await?;
        let block = ::durable_runtime::__private::block(async move { receipt.id });
        Ok(summarise(vec![block.__durable_await(). await]))
    }
    ::durable_runtime::__private::Execution::new(
        ::durable_runtime::__private::body(
            __DurableMeta,
            (&&::durable_runtime::__private::Probe::<
                Result<Summary, PayError>,
            >(::core::marker::PhantomData))
                .codec(),
            __durable_body_checkout(order),
        ),
    )
}
