//! Whole attributes: the expansions worth reading, as snapshots, and the errors about signatures.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p durable-macros` rewrites the snapshots; review the diff.

use std::path::Path;

use super::*;

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("test source is made of tokens")
}

fn check_snapshot(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("an expansion is made of items");
    let actual = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &actual).expect("snapshots can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the snapshot is there");
    assert_eq!(actual, expected, "{name} differs; UPDATE_SNAPSHOTS=1 rewrites it");
}

#[test]
fn a_step() {
    let expansion = durable_step(
        tokens(r#"retry(max_attempts = 5, initial_delay = "1s"), timeout = "30s""#),
        tokens(
            "/// Charges.\npub async fn charge(order: &Order, mut n: u32) -> Result<Receipt, PayError> { pay(order, n).await }",
        ),
    );
    check_snapshot("step.rs", expansion);
}

#[test]
fn an_execution() {
    let expansion = durable_execution(
        TokenStream::new(),
        tokens(
            "async fn checkout(order: Order) -> Result<Summary, PayError> {
                let receipt = charge(&order).await?;
                let block = async move { receipt.id };
                Ok(summarise(vec![block.await]))
            }",
        ),
    );
    check_snapshot("execution.rs", expansion);
}

#[test]
fn a_method() {
    let expansion = durable_step(
        tokens(r#"at_most_once, retry(none), serdes = Cbor, crate = my::durable, name = "fetch it""#),
        tokens(
            "#[cfg(unix)] #[instrument] async fn fetch<T: Kind>(&self, (a, b): (u8, u8)) -> Result<T, E> { self.get(a, b).await }",
        ),
    );
    let expansion = quote::quote!(impl Client { #expansion });
    check_snapshot("method.rs", expansion);
}

#[test]
fn a_half_typed_body_keeps_its_signature_and_its_types() {
    let expansion = durable_execution(
        TokenStream::new(),
        tokens("async fn checkout(order: Order) -> u32 { let receipt = charge(&order).await; receipt. }"),
    )
    .to_string();
    assert!(
        expansion.contains("let receipt = charge (& order) . __durable_await () . await ; receipt . }"),
        "{expansion}"
    );
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

/// The messages of the `compile_error!`s in an expansion.
fn errors(expansion: &TokenStream) -> Vec<String> {
    let text = expansion.to_string();
    text.split("compile_error ! {")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap_or(rest).trim().to_owned())
        .collect()
}

#[test]
fn each_mistake_in_a_signature_has_its_error_and_the_function_is_still_there() {
    for (source, part) in [
        ("fn f() {}", "step `f` is not `async`, so it can't await anything; declare it as `async fn f`"),
        ("const async fn f() {}", "can't be `const`"),
        ("async unsafe fn f() {}", "can't be `unsafe`"),
        ("async extern \\\"C\\\" fn f() {}", "can't be `extern`"),
        ("async fn f(&mut self) {}", "takes `self` by `&mut`, but on replay its body doesn't run"),
        ("async fn f(self: &mut Self) {}", "takes `self` by `&mut`"),
        ("async fn f(x: &mut u32) {}", "takes an argument by `&mut`"),
        ("async fn f() -> Result<impl Sized, E> {}", "returns an unnamed type"),
        ("async fn f();", "`f` has no body"),
        ("async fn prüfe() {}", "limited to printable ascii"),
        (
            "async fn f(a: A, b: A, c: A, d: A, e: A, f: A, g: A, h: A, i: A, j: A, k: A, l: A, m: A) {}",
            "takes more than 12 arguments",
        ),
    ] {
        let source = source.replace("\\\"", "\"");
        let expansion = durable_step(TokenStream::new(), tokens(&source));
        let errors = errors(&expansion);
        assert!(matches!(errors.as_slice(), [one] if one.contains(part)), "{source}: {errors:#?}");
        assert!(expansion.to_string().contains("fn "), "{source}");
    }
}

#[test]
fn only_functions_can_be_annotated() {
    for item in ["struct Order { id: u32 }", "mod orders {}", "type A = B;"] {
        let expansion = durable_execution(TokenStream::new(), tokens(item));
        let errors = errors(&expansion);
        assert!(
            matches!(errors.as_slice(), [one] if one.contains("`#[durable_execution]` works on functions only")),
            "{item}: {errors:#?}"
        );
        assert!(expansion.to_string().starts_with(&tokens(item).to_string()), "{item}");
    }
}

#[test]
fn all_problems_of_one_function_are_reported_together() {
    let expansion = durable_execution(
        tokens("retry(none)"),
        tokens("fn f(x: &mut u32) { let m = HashMap::new(); for k in m { g(Utc::now()).await; } }"),
    );
    let errors = errors(&expansion);
    assert_eq!(errors.len(), 5, "{errors:#?}");
}

#[test]
fn instrument_above_is_found() {
    let expansion = durable_execution(
        TokenStream::new(),
        tokens(
            "async fn f() { { let __tracing_attr_span = tracing::span!(); \
             let future = async move { g().await }; Instrument::instrument(future, __tracing_attr_span).await } }",
        ),
    );
    let errors = errors(&expansion);
    assert!(matches!(errors.as_slice(), [one] if one.contains("stands above")), "{errors:#?}");
    let text = expansion.to_string();
    assert!(text.contains("async move { g () . __durable_await () . await }"), "{text}");
    assert!(text.contains("__tracing_attr_span) . await"), "{text}");
}
