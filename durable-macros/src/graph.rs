//! The shape of an execution as a constant: its operations in the order of evaluation, its branches, loops and
//! exits. By what is written; a body that doesn't parse has none.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAwait, ExprClosure, Item, Local, Macro, Token};

use crate::branches::written_branches;
use crate::operation_chain::{Chain, Root, chain_of, string_literal};
use crate::versioned::written_versions;

/// `&[Node, ..]` of a function's body.
pub(crate) fn expand_graph(block: &Block, private: &TokenStream) -> TokenStream {
    let walk = Walk::of(private, |walk| walk.visit_block(block));
    walk.nodes()
}

struct Walk<'a> {
    private: &'a TokenStream,
    nodes: Vec<TokenStream>,
    /// Whether anything was awaited since the innermost `?` began.
    awaited: bool,
}

impl<'a> Walk<'a> {
    fn of(private: &'a TokenStream, visit: impl FnOnce(&mut Self)) -> Self {
        let mut walk = Self { private, nodes: Vec::new(), awaited: false };
        visit(&mut walk);
        walk
    }

    /// What `visit` finds, apart from what was found so far.
    fn apart(&mut self, visit: impl FnOnce(&mut Walk<'a>)) -> Walk<'a> {
        let walk = Walk::of(self.private, visit);
        self.awaited |= walk.awaited;
        walk
    }

    fn nodes(&self) -> TokenStream {
        let nodes = &self.nodes;
        quote!(&[#(#nodes),*])
    }

    fn push(&mut self, variant: &str, fields: &TokenStream) {
        let (private, variant) = (self.private, syn::Ident::new(variant, Span::call_site()));
        self.nodes.push(quote!(#private::graph::Node::#variant #fields));
    }

    fn kind(&self, kind: &str) -> TokenStream {
        let (private, kind) = (self.private, syn::Ident::new(kind, Span::call_site()));
        quote!(#private::graph::Kind::#kind)
    }

    fn operation(&mut self, kind: &str, name: &str, at: Span) {
        let (kind, line) = (self.kind(kind), line(at));
        self.push("Operation", &quote!({ kind: #kind, name: #name, line: #line }));
    }

    fn scope(&mut self, kind: &str, name: &str, at: Span, inside: &Walk<'_>) {
        let (kind, line, nodes) = (self.kind(kind), line(at), inside.nodes());
        self.push("Scope", &quote!({ kind: #kind, name: #name, line: #line, nodes: #nodes }));
    }

    fn arm(&self, label: &str, inside: &Walk<'_>) -> TokenStream {
        let (private, nodes) = (self.private, inside.nodes());
        quote!(#private::graph::Arm { label: #label, nodes: #nodes })
    }

    /// A choice, unless no way has anything to show.
    fn choice(&mut self, label: &str, at: Span, ways: &[(String, Walk<'a>)]) {
        if ways.iter().all(|(_, inside)| inside.nodes.is_empty()) {
            return;
        }
        let arms: Vec<_> = ways.iter().map(|(label, inside)| self.arm(label, inside)).collect();
        let line = line(at);
        self.push("Choice", &quote!({ label: #label, line: #line, arms: &[#(#arms),*] }));
    }

    fn exit(&mut self, exit: &str) {
        let (private, exit) = (self.private, syn::Ident::new(exit, Span::call_site()));
        self.push("Exit", &quote!((#private::graph::Exit::#exit)));
    }

    fn repeated(&mut self, label: &str, at: Span, visit: impl FnOnce(&mut Walk<'a>)) {
        let inside = self.apart(visit);
        if !inside.nodes.is_empty() {
            let (line, nodes) = (line(at), inside.nodes());
            self.push("Loop", &quote!({ label: #label, line: #line, nodes: #nodes }));
        }
    }

    /// An operation that is about to be performed: awaited, or handed to who awaits it.
    fn performed(&mut self, operation: &Expr) {
        self.awaited = true;
        match operation {
            Expr::Async(block) => return self.visit_block(&block.block),
            Expr::Paren(inner) => return self.performed(&inner.expr),
            Expr::Block(block) => return self.visit_block(&block.block),
            _ => {}
        }
        let chain = chain_of(operation);
        let at = chain.span();
        match &chain.root {
            Root::Call { name, arguments } => self.called(name, arguments, &chain, at),
            Root::Macro(invoked) => self.written(invoked, &chain, at),
            Root::Block(block) => {
                let inside = self.apart(|walk| walk.visit_block(block));
                self.scope("Block", chain.name.as_deref().unwrap_or_default(), at, &inside);
            }
            Root::Other(receiver) => {
                self.visit_expr(receiver);
                let name = chain.name.as_deref().or(chain.first_method.as_deref());
                let kind = if chain.first_method.as_deref() == Some("invoke_on") { "Invoke" } else { "Call" };
                let name = name.map_or_else(|| text(receiver), str::to_owned);
                self.operation(kind, &name, at);
            }
        }
    }

    fn called(&mut self, function: &str, arguments: &[&Expr], chain: &Chain<'_>, at: Span) {
        let literal = arguments.first().and_then(|first| string_literal(first));
        let name = |default: &str| chain.name.as_deref().unwrap_or(default).to_owned();
        match function {
            "map" | "parallel" | "with_retry" => {
                for argument in arguments.iter().take(arguments.len().saturating_sub(1)) {
                    self.visit_expr(argument);
                }
                let inside =
                    self.apart(|walk| arguments.last().into_iter().for_each(|last| walk.handed(last)));
                let kind = if function == "with_retry" { "Retry" } else { "Map" };
                self.scope(kind, &name(""), at, &inside);
            }
            "wait_for_condition" => {
                let check = arguments.last().map(text).unwrap_or_default();
                self.operation("Condition", &name(&check), at);
            }
            "callback" => {
                let callback = name(literal.as_deref().unwrap_or_default());
                let submitter = chain.argument_of("submit");
                if let Some(submitter) = submitter {
                    let inside = self.apart(|walk| walk.handed(submitter));
                    self.nodes.extend(inside.nodes);
                }
                self.operation("Callback", &callback, at);
            }
            "invoke" => self.operation("Invoke", &name(literal.as_deref().unwrap_or_default()), at),
            "wait" | "wait_until" => {
                arguments.iter().for_each(|argument| self.visit_expr(argument));
                let what = arguments.first().map(|argument| format!("{function} {}", text(argument)));
                self.operation("Wait", &name(&what.unwrap_or_default()), at);
            }
            "now" | "uuid" | "random" => self.operation("Value", &name(function), at),
            _ => {
                arguments.iter().for_each(|argument| self.visit_expr(argument));
                self.operation("Call", &name(function), at);
            }
        }
    }

    /// A function or a closure that makes operations: what happens when it is called.
    fn handed(&mut self, function: &Expr) {
        match function {
            Expr::Closure(closure) => self.performed(&closure.body),
            Expr::Path(path) => {
                let name = path.path.segments.last().map(|last| last.ident.to_string());
                self.operation("Call", &name.unwrap_or_default(), path.span());
            }
            other => self.visit_expr(other),
        }
    }

    /// `join!(..)` and its like, awaited.
    fn written(&mut self, invoked: &Macro, chain: &Chain<'_>, at: Span) {
        let name = invoked.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "join" | "try_join" | "race" | "select_ok" => {
                let Some((group, branches)) = written_branches(invoked.tokens.clone()) else { return };
                let name = group.map_or_else(|| name.clone(), |group| format!("{name} {group}"));
                let arms: Vec<_> = branches
                    .iter()
                    .map(|(label, operation)| {
                        let inside = self.apart(|walk| walk.performed(operation));
                        self.arm(label.as_deref().unwrap_or_default(), &inside)
                    })
                    .collect();
                let line = line(at);
                self.push("Parallel", &quote!({ name: #name, line: #line, branches: &[#(#arms),*] }));
            }
            "saga" => {
                let (label, block) = name_and_block(&invoked.tokens);
                let inside = self.apart(|walk| block.iter().for_each(|block| walk.visit_block(block)));
                self.scope(
                    "Saga",
                    chain.name.as_deref().or(label.as_deref()).unwrap_or_default(),
                    at,
                    &inside,
                );
            }
            "step" => {
                let (label, _) = name_and_block(&invoked.tokens);
                self.operation("Step", chain.name.as_deref().or(label.as_deref()).unwrap_or_default(), at);
            }
            _ => self.operation("Call", &format!("{name}!"), at),
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        match &*awaited.base {
            // What leaves the block goes on behind it.
            Expr::Async(block) if leaves_early(block.block.to_token_stream()) => {
                let inside = self.apart(|walk| walk.visit_block(&block.block));
                self.awaited = true;
                self.scope("Block", "", block.span(), &inside);
            }
            operation => self.performed(operation),
        }
    }

    fn visit_expr_try(&mut self, tried: &'ast syn::ExprTry) {
        let outside = std::mem::take(&mut self.awaited);
        self.visit_expr(&tried.expr);
        if self.awaited {
            self.exit("Error");
        }
        self.awaited |= outside;
    }

    fn visit_expr_return(&mut self, returned: &'ast syn::ExprReturn) {
        visit::visit_expr_return(self, returned);
        self.exit("Return");
    }

    fn visit_expr_break(&mut self, broken: &'ast syn::ExprBreak) {
        visit::visit_expr_break(self, broken);
        self.exit("Break");
    }

    fn visit_expr_continue(&mut self, _: &'ast syn::ExprContinue) {
        self.exit("Continue");
    }

    fn visit_expr_if(&mut self, choice: &'ast syn::ExprIf) {
        self.visit_expr(&choice.cond);
        let then = self.apart(|walk| walk.visit_block(&choice.then_branch));
        let otherwise =
            self.apart(|walk| choice.else_branch.iter().for_each(|(_, other)| walk.visit_expr(other)));
        let label = format!("if {}", text(&choice.cond));
        self.choice(&label, choice.span(), &[("yes".to_owned(), then), ("no".to_owned(), otherwise)]);
    }

    fn visit_expr_match(&mut self, choice: &'ast syn::ExprMatch) {
        self.visit_expr(&choice.expr);
        let ways: Vec<_> =
            choice.arms.iter().map(|arm| (text(&arm.pat), self.apart(|walk| walk.visit_arm(arm)))).collect();
        self.choice(&format!("match {}", text(&choice.expr)), choice.span(), &ways);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let Some(init) = &local.init else { return };
        self.visit_expr(&init.expr);
        if let Some((_, otherwise)) = &init.diverge {
            let otherwise = self.apart(|walk| walk.visit_expr(otherwise));
            let fits = self.apart(|_| {});
            let label = format!("let {}", text(&local.pat));
            self.choice(&label, local.span(), &[("yes".to_owned(), fits), ("else".to_owned(), otherwise)]);
        }
    }

    fn visit_expr_loop(&mut self, repeated: &'ast syn::ExprLoop) {
        self.repeated("loop", repeated.span(), |walk| walk.visit_block(&repeated.body));
    }

    fn visit_expr_while(&mut self, repeated: &'ast syn::ExprWhile) {
        let label = format!("while {}", text(&repeated.cond));
        self.repeated(&label, repeated.span(), |walk| {
            walk.visit_expr(&repeated.cond);
            walk.visit_block(&repeated.body);
        });
    }

    fn visit_expr_for_loop(&mut self, repeated: &'ast syn::ExprForLoop) {
        self.visit_expr(&repeated.expr);
        let label = format!("for {} in {}", text(&repeated.pat), text(&repeated.expr));
        self.repeated(&label, repeated.span(), |walk| walk.visit_block(&repeated.body));
    }

    fn visit_macro(&mut self, invoked: &'ast Macro) {
        if invoked.path.segments.last().is_some_and(|last| last.ident == "versioned") {
            let ways = written_versions(invoked.tokens.clone())
                .into_iter()
                .map(|(label, code)| (label, self.apart(|walk| walk.visit_expr(&code))))
                .collect::<Vec<_>>();
            return self.choice("version", invoked.span(), &ways);
        }
        // Most macros take expressions; what those await happens before the macro does anything.
        if let Ok(arguments) = invoked.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            for argument in arguments {
                self.visit_expr(&argument);
            }
        }
    }

    /// Not performed here.
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether there is a `?` or a `return`.
fn leaves_early(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Ident(ident) => ident == "return",
        TokenTree::Group(group) => leaves_early(group.stream()),
        TokenTree::Literal(_) => false,
    })
}

/// `"name", .., { block }` of `step!` and `saga!`.
fn name_and_block(tokens: &TokenStream) -> (Option<String>, Option<Block>) {
    let mut name = None;
    let mut block = None;
    for token in tokens.clone() {
        match token {
            TokenTree::Literal(literal) if name.is_none() => {
                name = syn::parse2::<syn::LitStr>(literal.to_token_stream()).ok().map(|name| name.value());
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                block = syn::parse2(TokenStream::from(TokenTree::from(Group::clone(&group)))).ok();
            }
            _ => {}
        }
    }
    (name, block)
}

fn line(at: Span) -> Literal {
    Literal::u32_unsuffixed(u32::try_from(at.start().line).unwrap_or(0))
}

/// Source text on one line, shortened until it fits into a picture.
fn text(tokens: &impl ToTokens) -> String {
    const LONGEST: usize = 40;
    let text = tokens.to_token_stream().to_string();
    let tidy = text
        .replace(" . ", ".")
        .replace(" :: ", "::")
        .replace(" (", "(")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ,", ",")
        .replace("& ", "&")
        .replace(" ?", "?");
    if tidy.chars().count() <= LONGEST {
        return tidy;
    }
    tidy.chars().take(LONGEST - 1).chain(['…']).collect()
}
