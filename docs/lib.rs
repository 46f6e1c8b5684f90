//! The Rust code of the guide in `src/` and of the documents beside it, compiled and run with the documentation
//! tests. `tests/book.rs` fails when a document with Rust code is missing here.

#[cfg(doctest)]
mod chapters {
    #[doc = include_str!("src/introduction.md")]
    pub mod introduction {}
    #[doc = include_str!("src/concepts.md")]
    pub mod concepts {}
    #[doc = include_str!("src/steps.md")]
    pub mod steps {}
    #[doc = include_str!("src/waits.md")]
    pub mod waits {}
    #[doc = include_str!("src/callbacks.md")]
    pub mod callbacks {}
    #[doc = include_str!("src/concurrency.md")]
    pub mod concurrency {}
    #[doc = include_str!("src/failures.md")]
    pub mod failures {}
    #[doc = include_str!("src/sagas.md")]
    pub mod sagas {}
    #[doc = include_str!("src/mistakes.md")]
    pub mod mistakes {}
    #[doc = include_str!("src/testing.md")]
    pub mod testing {}
    #[doc = include_str!("src/changing.md")]
    pub mod changing {}
    #[doc = include_str!("src/checkout.md")]
    pub mod checkout {}
    #[doc = include_str!("src/deploying.md")]
    pub mod deploying {}
    #[doc = include_str!("src/encryption.md")]
    pub mod encryption {}
    #[doc = include_str!("src/limits-and-costs.md")]
    pub mod limits_and_costs {}
    #[doc = include_str!("src/from-aws-sdks.md")]
    pub mod from_aws_sdks {}
    #[doc = include_str!("src/from-temporal.md")]
    pub mod from_temporal {}
    #[doc = include_str!("src/from-restate.md")]
    pub mod from_restate {}
    #[doc = include_str!("src/from-dbos.md")]
    pub mod from_dbos {}
    #[doc = include_str!("src/how-it-works.md")]
    pub mod how_it_works {}
    #[doc = include_str!("errors.md")]
    pub mod errors {}
    #[doc = include_str!("deploy.md")]
    pub mod deploy {}
}
