//! Rewrites the body of an execution on its tokens, so that every `.await` is bound to
//! `DurableOperation` and every `async` block becomes an operation.
//!
//! Tokens, not syntax: an `.await` inside `vec![..]`, `format!(..)` or a macro nobody here knows is
//! rewritten as well, syntax newer than our parser passes through, and a half-typed body keeps its types.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::determinism::forbidden_at;
use crate::tokens::{foreign_region_at, group_at, ident_at, is_brace, is_ident, is_punct, path_at};

/// Whose `.await`s and `async` blocks these are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The execution's own: rewritten.
    Durable,
    /// Arguments of something that takes ordinary futures, or its result: left alone up to the next
    /// `async` block. Reached only where an error was reported, so that no second one follows.
    Foreign,
}

/// Rewrites what belongs to the execution. `private` is the path of the runtime's `__private`.
pub(crate) fn rewrite(tokens: TokenStream, scope: Scope, private: &TokenStream) -> TokenStream {
    Rewriter { private }.tokens(tokens, scope)
}

struct Rewriter<'a> {
    private: &'a TokenStream,
}

impl Rewriter<'_> {
    fn tokens(&self, tokens: TokenStream, scope: Scope) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut output = TokenStream::new();
        let mut at = 0;
        while at < tokens.len() {
            at += self.next(&tokens, at, scope, &mut output);
        }
        output
    }

    /// Writes what starts here and returns how many tokens it took.
    fn next(&self, tokens: &[TokenTree], at: usize, scope: Scope, output: &mut TokenStream) -> usize {
        if let Some(len) = foreign_region_at(tokens, at) {
            return copy(tokens, at, len, output);
        }
        if let Some(forbidden) = forbidden_at(tokens, at) {
            let path = copy(tokens, at, forbidden.path_len, output);
            return path + self.postfix_chain(tokens, at + path, output);
        }
        if scope == Scope::Durable && is_punct(tokens, at, '.') && is_ident(tokens, at + 1, "await") {
            let follows_range = at.checked_sub(1).is_some_and(|before| is_punct(tokens, before, '.'));
            if let (false, Some(keyword)) = (follows_range, ident_at(tokens, at + 1)) {
                copy(tokens, at, 1, output);
                let attach = Ident::new("__durable_await", keyword.span());
                output.extend(quote_spanned! {keyword.span()=> #attach().#keyword });
                return 2;
            }
        }
        if is_ident(tokens, at, "async")
            && let Some(len) = self.async_block(tokens, at, scope, output)
        {
            return len;
        }
        if let Some(path) = path_at(tokens, at) {
            return copy(tokens, at, path.len, output);
        }
        self.copy_rewriting_groups(tokens, at, scope, output)
    }

    /// `async [move] { .. }`, and as a fallback (an error was reported) `async [move] |..| { .. }`.
    fn async_block(
        &self,
        tokens: &[TokenTree],
        at: usize,
        scope: Scope,
        output: &mut TokenStream,
    ) -> Option<usize> {
        let span = ident_at(tokens, at)?.span();
        let has_move = is_ident(tokens, at + 1, "move");
        let body_at = at + 1 + usize::from(has_move);
        if is_brace(tokens, body_at) {
            let mut block = TokenStream::new();
            let head = copy(tokens, at, body_at - at, &mut block);
            self.copy_rewriting_groups(tokens, body_at, Scope::Durable, &mut block);
            output.extend(self.wrapped(block, span, scope));
            return Some(head + 1);
        }
        let parameters = closure_parameters_len(tokens, body_at)?;
        let start = body_at + parameters;
        let (body, len) = closure_body(tokens, start)?;
        copy(tokens, at + 1, usize::from(has_move) + parameters, output);
        let mut block = quote_spanned! {span=> async move };
        self.copy_rewriting_groups(&[body], 0, Scope::Durable, &mut block);
        output.extend(self.wrapped(block, span, scope));
        Some(start + len - at)
    }

    fn wrapped(&self, block: TokenStream, span: Span, scope: Scope) -> TokenStream {
        if scope == Scope::Foreign {
            return block;
        }
        let private = self.private;
        // From `async` to the closing brace, and with the user's hygiene: rustc shows an argument that comes
        // out of an expansion at the attribute.
        let last = block.clone().into_iter().last().map_or(span, |last| match last {
            TokenTree::Group(body) => body.span_close(),
            token => token.span(),
        });
        let mut arguments = Group::new(Delimiter::Parenthesis, block);
        arguments.set_span(last);
        let mut operation: TokenStream = quote!(#private::block)
            .into_iter()
            .map(|mut token| {
                token.set_span(span);
                token
            })
            .collect();
        arguments.to_tokens(&mut operation);
        operation
    }

    /// What is done with the result of a forbidden call: its arguments, `?`, methods and `.await`s.
    fn postfix_chain(&self, tokens: &[TokenTree], start: usize, output: &mut TokenStream) -> usize {
        let mut at = start;
        loop {
            let called = group_at(tokens, at).is_some_and(|group| group.delimiter() != Delimiter::Brace);
            let macro_call = is_punct(tokens, at, '!') && group_at(tokens, at + 1).is_some();
            let method = is_punct(tokens, at, '.') && ident_at(tokens, at + 1).is_some();
            let turbofish = is_punct(tokens, at, ':') && is_punct(tokens, at + 2, '<');
            if called {
                at += self.copy_rewriting_groups(tokens, at, Scope::Foreign, output);
            } else if macro_call {
                at += copy(tokens, at, 1, output);
                at += self.copy_rewriting_groups(tokens, at, Scope::Foreign, output);
            } else if method {
                at += copy(tokens, at, 2, output);
            } else if turbofish {
                at += copy(tokens, at, generics_len(tokens, at + 2) + 2, output);
            } else if is_punct(tokens, at, '?') {
                at += copy(tokens, at, 1, output);
            } else {
                return at - start;
            }
        }
    }

    fn copy_rewriting_groups(
        &self,
        tokens: &[TokenTree],
        at: usize,
        scope: Scope,
        output: &mut TokenStream,
    ) -> usize {
        let Some(group) = group_at(tokens, at) else { return copy(tokens, at, 1, output) };
        let mut rewritten = Group::new(group.delimiter(), self.tokens(group.stream(), scope));
        rewritten.set_span(group.span());
        rewritten.to_tokens(output);
        1
    }
}

/// The tokens of `|a, (b, c)|`, or of `||`.
pub(crate) fn closure_parameters_len(tokens: &[TokenTree], at: usize) -> Option<usize> {
    if !is_punct(tokens, at, '|') {
        return None;
    }
    let close = (at + 1..tokens.len()).find(|end| is_punct(tokens, *end, '|'))?;
    Some(close + 1 - at)
}

/// The body of a closure as a block, and how many tokens it is written with: a block, or an expression up to the next
/// comma.
fn closure_body(tokens: &[TokenTree], at: usize) -> Option<(TokenTree, usize)> {
    if is_brace(tokens, at) {
        return tokens.get(at).map(|block| (block.clone(), 1));
    }
    let rest = tokens.get(at..)?;
    let ends =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';'));
    let len = rest.iter().position(ends).unwrap_or(rest.len());
    let expression: TokenStream = rest.iter().take(len).cloned().collect();
    let mut block = Group::new(Delimiter::Brace, expression);
    block.set_span(rest.get(len.checked_sub(1)?)?.span());
    Some((TokenTree::Group(block), len))
}

fn generics_len(tokens: &[TokenTree], at: usize) -> usize {
    let mut depth = 0_usize;
    for end in at..tokens.len() {
        if is_punct(tokens, end, '<') {
            depth += 1;
        } else if is_punct(tokens, end, '>') && !is_punct(tokens, end.saturating_sub(1), '-') {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return end + 1 - at;
        }
    }
    tokens.len() - at
}

/// Copies up to `len` tokens and says how many there were; at least one, so that a scan ends.
fn copy(tokens: &[TokenTree], at: usize, len: usize, output: &mut TokenStream) -> usize {
    output.extend(tokens.iter().skip(at).take(len).cloned());
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(source: &str) -> String {
        let tokens = source.parse().expect("test source is made of tokens");
        rewrite(tokens, Scope::Durable, &quote!(p)).to_string()
    }

    fn check(source: &str, expected: &str) {
        let expected: TokenStream = expected.parse().expect("test source is made of tokens");
        assert_eq!(rewritten(source), expected.to_string(), "{source}");
    }

    #[test]
    fn every_await_is_rewritten_wherever_it_stands() {
        check("a().await?", "a().__durable_await().await?");
        check("vec![a.await, b.await]", "vec![a.__durable_await().await, b.__durable_await().await]");
        check("mystery!(x => y.await)", "mystery!(x => y.__durable_await().await)");
        check("a.await.b().await", "a.__durable_await().await.b().__durable_await().await");
        check("join!(a(), b().await)", "join!(a(), b().__durable_await().await)");
    }

    #[test]
    fn async_blocks_become_operations() {
        check("async { a.await }", "p::block(async { a.__durable_await().await })");
        check("|x| async move { x }", "|x| p::block(async move { x })");
        check("'outer: { async {} }", "'outer: { p::block(async {}) }");
    }

    #[test]
    fn what_has_its_own_colour_is_left_alone() {
        for source in [
            "fn plain() { a.await }",
            "async fn plain<const N: usize>(x: Foo<{ N }>) -> u32 { a.await }",
            "macro_rules! m { ($e:expr) => { $e.await } }",
            "step!(\"name\", { a.await; async {} })",
            "durable_runtime::step!(\"name\", { a.await })",
            "nondeterministic!(a.await)",
            "#[doc = \"a.await\"] use a::{b, c};",
            "let range = 1..await_count;",
        ] {
            check(source, source);
        }
        check("crate::rand::pick().await", "crate::rand::pick().__durable_await().await");
        check("fn plain() { a.await } b.await", "fn plain() { a.await } b.__durable_await().await");
        check("let f: fn(u32) -> u32 = g; b.await", "let f: fn(u32) -> u32 = g; b.__durable_await().await");
    }

    #[test]
    fn a_reported_mistake_is_not_rewritten_so_that_no_second_error_follows() {
        check(
            "tokio::time::sleep(d).await; a.await",
            "tokio::time::sleep(d).await; a.__durable_await().await",
        );
        check("reqwest::get(u).await?.text().await?", "reqwest::get(u).await?.text().await?");
        check(
            "tokio::spawn(async move { a.await })",
            "tokio::spawn(async move { a.__durable_await().await })",
        );
        check("rand::random::<u32>() + a.await", "rand::random::<u32>() + a.__durable_await().await");
        check("async |x| { x.await }", "|x| p::block(async move { x.__durable_await().await })");
        check("async move || { 1 }", "move || p::block(async move { 1 })");
        check(
            "map(v, async |x| f(x, 1).await?, g)",
            "map(v, |x| p::block(async move { f(x, 1).__durable_await().await? }), g)",
        );
    }
}
