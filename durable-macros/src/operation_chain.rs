//! What an awaited expression is made of: `callback("x").timeout("1h").submit(f)` is a call and two methods.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprLit, ExprMethodCall, Lit, Macro};

/// A root, and the methods that were called on it, first to last.
pub(crate) struct Chain<'a> {
    pub(crate) root: Root<'a>,
    methods: Vec<&'a ExprMethodCall>,
    /// What `.named("..")` says, when that is a literal.
    pub(crate) name: Option<String>,
    /// The method that is called on the root itself.
    pub(crate) first_method: Option<String>,
    span: Span,
}

/// Where a chain begins.
pub(crate) enum Root<'a> {
    /// A function is called by its path.
    Call {
        name: String,
        arguments: Vec<&'a Expr>,
    },
    Macro(&'a Macro),
    /// `async { .. }`
    Block(&'a Block),
    /// A variable, a field, anything else.
    Other(&'a Expr),
}

pub(crate) fn chain_of(operation: &Expr) -> Chain<'_> {
    let mut methods = Vec::new();
    let mut root = operation;
    loop {
        root = match root {
            Expr::MethodCall(call) => {
                methods.push(call);
                &call.receiver
            }
            Expr::Paren(inner) => &inner.expr,
            Expr::Group(inner) => &inner.expr,
            _ => break,
        };
    }
    methods.reverse();
    let root_of = match root {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => Root::Call {
                name: path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
                arguments: call.args.iter().collect(),
            },
            _ => Root::Other(root),
        },
        Expr::Macro(invoked) => Root::Macro(&invoked.mac),
        Expr::Async(block) => Root::Block(&block.block),
        _ => Root::Other(root),
    };
    let named = methods.iter().find(|call| call.method == "named").and_then(|call| call.args.first());
    let name = named.and_then(string_literal);
    let first_method = methods.first().map(|call| call.method.to_string());
    Chain { root: root_of, methods, name, first_method, span: root.span() }
}

/// The text of a string literal.
pub(crate) fn string_literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

impl<'a> Chain<'a> {
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The argument of the method with this name.
    pub(crate) fn argument_of(&self, method: &str) -> Option<&'a Expr> {
        self.methods.iter().find(|call| call.method == method).and_then(|call| call.args.first())
    }
}
