//! Finds loops over hash containers whose iterations perform durable operations: the order of a hash
//! container differs between processes, and so would the order of the operations.
//!
//! Needs types, so it is limited to what is visible in the function: arguments and local variables whose
//! type or constructor is written out.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprForLoop, ExprMethodCall, FnArg, Item, Local, Pat, Signature, Type};

use crate::diagnostics::Diagnostics;
use crate::tokens::{is_ident, is_punct};

const CONTAINERS: [&str; 7] =
    ["HashMap", "HashSet", "FxHashMap", "FxHashSet", "AHashMap", "AHashSet", "DashMap"];

/// Methods that iterate, or pass an iteration on in the same order.
const ORDER_KEEPING: [&str; 24] = [
    "iter",
    "iter_mut",
    "into_iter",
    "keys",
    "into_keys",
    "values",
    "values_mut",
    "into_values",
    "drain",
    "clone",
    "copied",
    "cloned",
    "map",
    "filter",
    "filter_map",
    "flat_map",
    "enumerate",
    "skip",
    "take",
    "zip",
    "chain",
    "by_ref",
    "rev",
    "inspect",
];

/// Reports each visible iteration over a hash container that awaits.
pub(crate) fn check_hash_iteration(signature: &Signature, body: &Block, problems: &mut Diagnostics) {
    let mut finder = Finder { hashed: hashed_arguments(signature), problems };
    finder.visit_block(body);
}

struct Finder<'a> {
    /// Variables that hold a hash container, here.
    hashed: BTreeSet<String>,
    problems: &'a mut Diagnostics,
}

impl Finder<'_> {
    /// The container whose order this expression iterates in.
    fn container<'e>(&self, expression: &'e Expr) -> Option<&'e dyn ToTokens> {
        match expression {
            Expr::Path(path) => {
                let name = path.path.get_ident()?;
                self.hashed.contains(&name.to_string()).then_some(path as &dyn ToTokens)
            }
            Expr::Reference(reference) => self.container(&reference.expr),
            Expr::Paren(paren) => self.container(&paren.expr),
            Expr::MethodCall(call) if ORDER_KEEPING.iter().any(|name| call.method == name) => {
                self.container(&call.receiver)
            }
            _ => None,
        }
    }

    fn report(&mut self, iterated: &Expr, container: &str, remedy: &str) {
        self.problems.push(
            iterated,
            format!(
                "`{container}` is a hash container, whose order differs between runs, and each iteration performs \
                 durable operations; use a `BTreeMap` or `BTreeSet`, {remedy}"
            ),
        );
    }

    /// `map(hashed, ..)`, unless the keys identify the items.
    fn check_call(&mut self, call: &ExprCall) {
        let Expr::Path(function) = &*call.func else { return };
        let is_map = function.path.segments.last().is_some_and(|last| last.ident == "map");
        if let (true, Some(items)) = (is_map, call.args.first())
            && let Some(container) = self.container(items).map(text)
        {
            self.report(items, &container, "sort first, or identify the items with `.key_by(..)`");
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_block(&mut self, block: &'ast Block) {
        let outside = self.hashed.clone();
        visit::visit_block(self, block);
        self.hashed = outside;
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        let (pattern, ty) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
            pattern => (pattern, None),
        };
        let Pat::Ident(name) = pattern else { return };
        let is_hashed = match (ty, &local.init) {
            (Some(ty), _) => is_container(ty),
            (None, Some(init)) => {
                constructs_container(&init.expr)
                    || matches!(&*init.expr, Expr::Path(_)) && self.container(&init.expr).is_some()
            }
            (None, None) => false,
        };
        if is_hashed {
            self.hashed.insert(name.ident.to_string());
        } else {
            self.hashed.remove(&name.ident.to_string());
        }
    }

    fn visit_expr_for_loop(&mut self, looped: &'ast ExprForLoop) {
        if let Some(container) = self.container(&looped.expr).map(text)
            && contains_await(looped.body.to_token_stream())
        {
            self.report(&looped.expr, &container, "or sort first");
        }
        visit::visit_expr_for_loop(self, looped);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        self.check_call(call);
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(keyed) = keyed_call(call) {
            keyed.args.iter().for_each(|argument| self.visit_expr(argument));
            call.args.iter().for_each(|argument| self.visit_expr(argument));
        } else {
            visit::visit_expr_method_call(self, call);
        }
    }

    // Nested items have a colour of their own.
    fn visit_item(&mut self, _: &'ast Item) {}
}

/// The call at the root of a method chain that has a `key_by` in it.
fn keyed_call(call: &ExprMethodCall) -> Option<&ExprCall> {
    let mut keyed = false;
    let mut current = call;
    loop {
        keyed |= current.method == "key_by";
        match &*current.receiver {
            Expr::MethodCall(receiver) => current = receiver,
            Expr::Call(root) => return keyed.then_some(root),
            _ => return None,
        }
    }
}

fn hashed_arguments(signature: &Signature) -> BTreeSet<String> {
    signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(typed) if is_container(&typed.ty) => match &*typed.pat {
                Pat::Ident(name) => Some(name.ident.to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn is_container(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| is_container_name(&last.ident)),
        Type::Reference(reference) => is_container(&reference.elem),
        Type::Paren(paren) => is_container(&paren.elem),
        _ => false,
    }
}

/// `HashMap::new()`, `HashMap::from(..)`, `.collect::<HashMap<_, _>>()`, with `?` or `.await?` behind.
fn constructs_container(expression: &Expr) -> bool {
    match expression {
        Expr::Call(call) => match &*call.func {
            Expr::Path(function) => {
                let mut segments = function.path.segments.iter().rev();
                segments.next();
                segments.next().is_some_and(|owner| is_container_name(&owner.ident))
            }
            _ => false,
        },
        Expr::MethodCall(call) if call.method == "collect" => {
            let turbofish = call.turbofish.to_token_stream();
            turbofish.into_iter().any(
                |token| matches!(token, proc_macro2::TokenTree::Ident(ident) if is_container_name(&ident)),
            )
        }
        Expr::Try(tried) => constructs_container(&tried.expr),
        _ => false,
    }
}

fn is_container_name(name: &proc_macro2::Ident) -> bool {
    CONTAINERS.iter().any(|container| name == container)
}

fn contains_await(tokens: TokenStream) -> bool {
    let tokens: Vec<_> = tokens.into_iter().collect();
    (0..tokens.len()).any(|at| {
        (is_punct(&tokens, at, '.') && is_ident(&tokens, at + 1, "await"))
            || crate::tokens::group_at(&tokens, at).is_some_and(|group| contains_await(group.stream()))
    })
}

fn text(tokens: &dyn ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(source: &str) -> Vec<String> {
        let mut problems = Diagnostics::default();
        let function: syn::ItemFn = syn::parse_str(source).expect("test source is a function");
        check_hash_iteration(&function.sig, &function.block, &mut problems);
        problems.messages()
    }

    #[test]
    fn iterations_that_perform_operations_are_reported_once() {
        for body in [
            "for (k, v) in &m { charge(v).await; }",
            "for v in m.values().copied().filter(|v| v > 0) { if x { charge(v).await; } }",
            "for v in m.into_iter() { vec![charge(v).await]; }",
            "map(m.values(), |v| charge(v)).await",
            "durable_runtime::map(m, charge).max_concurrency(2).await",
            "let n = m; for v in n { charge(v).await; }",
        ] {
            let problems = problems_of(&format!("async fn f(m: HashMap<u32, u32>) {{ {body} }}"));
            assert!(
                matches!(problems.as_slice(), [one] if one.contains("is a hash container")),
                "{body}: {problems:#?}"
            );
        }
        for local in [
            "let m: std::collections::HashSet<u32> = f();",
            "let mut m = FxHashMap::default();",
            "let m = x.iter().collect::<HashMap<_, _>>();",
            "let m = x.collect::<Result<HashMap<_, _>, E>>()?;",
        ] {
            let problems = problems_of(&format!("async fn f() {{ {local} for v in &m {{ g(v).await; }} }}"));
            assert_eq!(problems.len(), 1, "{local}: {problems:#?}");
        }
    }

    #[test]
    fn everything_else_passes() {
        for body in [
            "for v in &m { total += v; }",
            "let mut keys: Vec<_> = m.into_keys().collect(); keys.sort(); for k in keys { charge(k).await; }",
            "for v in m.iter().sorted() { charge(v).await; }",
            "map(m.values(), |v| charge(v)).max_concurrency(3).key_by(|v| v.id).await",
            "let m = vec![1]; for v in &m { charge(v).await; }",
            "{ let m = BTreeMap::new(); for v in &m { charge(v).await; } }",
            "async fn nested(m: HashSet<u32>) { for v in m { plain(v).await } }",
            "let total: u32 = m.values().map(|v| v + 1).sum(); charge(total).await",
        ] {
            let problems = problems_of(&format!("async fn f(m: &HashMap<u32, u32>) {{ {body} }}"));
            assert_eq!(problems, Vec::<String>::new(), "{body}");
        }
    }

    #[test]
    fn shadowing_ends_with_its_block() {
        let problems = problems_of(
            "async fn f(m: HashMap<u32, u32>) { { let m = vec![1]; for v in m { g(v).await; } } for v in m { g(v).await; } }",
        );
        assert_eq!(problems.len(), 1);
    }
}
