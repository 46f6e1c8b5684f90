//! `join!`, `try_join!`, `race!` and `select_ok!`: branches of different types, side by side.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, LitStr, Token};

use crate::args::{check_name, name_problem};
use crate::model::private_path;

/// Which macro was called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combinator {
    Join,
    TryJoin,
    Race,
    SelectOk,
}

impl Combinator {
    fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::TryJoin => "try_join",
            Self::Race => "race",
            Self::SelectOk => "select_ok",
        }
    }

    /// The outputs of these branches form a tuple; those of the others are of one type.
    fn is_heterogeneous(self) -> bool {
        matches!(self, Self::Join | Self::TryJoin)
    }
}

/// The runtime implements its joins for tuples of at most this many branches.
const MOST_BRANCHES: usize = 12;

/// `"name"; first, second = expr, ..`
struct Branches {
    name: Option<LitStr>,
    branches: Vec<Branch>,
}

struct Branch {
    name: Option<Ident>,
    operation: Expr,
}

impl Parse for Branches {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = if input.peek(LitStr) && input.peek2(Token![;]) {
            let name = check_name(input.parse()?)?;
            input.parse::<Token![;]>()?;
            Some(name)
        } else {
            None
        };
        let branches = input.parse_terminated(Branch::parse, Token![,])?;
        Ok(Self { name, branches: branches.into_iter().collect() })
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let is_named = input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
        let name = if is_named {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            if let Some(problem) = name_problem(&name.to_string()) {
                return Err(syn::Error::new_spanned(name, problem));
            }
            Some(name)
        } else {
            None
        };
        Ok(Self { name, operation: input.parse()? })
    }
}

pub(crate) fn expand_branches(combinator: Combinator, input: TokenStream) -> TokenStream {
    match syn::parse2(input).and_then(|branches| check_count(combinator, branches)) {
        Ok(branches) => expand(combinator, &branches),
        Err(error) => error.to_compile_error(),
    }
}

/// The branches of a macro that was written, for who only looks at them.
pub(crate) fn written_branches(input: TokenStream) -> Option<WrittenBranches> {
    let Branches { name, branches } = syn::parse2(input).ok()?;
    let branch = |branch: Branch| (branch.name.map(|name| name.to_string()), branch.operation);
    Some((name.map(|name| name.value()), branches.into_iter().map(branch).collect()))
}

/// The group's name, and each branch with its own.
type WrittenBranches = (Option<String>, Vec<(Option<String>, Expr)>);

fn check_count(combinator: Combinator, branches: Branches) -> syn::Result<Branches> {
    let name = combinator.name();
    let Some(surplus) = branches.branches.get(MOST_BRANCHES) else {
        if branches.branches.is_empty() {
            let message =
                format!("`{name}!` has no branches, so there is nothing to wait for; write at least one");
            return Err(syn::Error::new(Span::call_site(), message));
        }
        return Ok(branches);
    };
    if combinator.is_heterogeneous() {
        let message = format!(
            "`{name}!` takes at most {MOST_BRANCHES} branches; nest another `{name}!`, or use `parallel(..)`"
        );
        return Err(syn::Error::new_spanned(&surplus.operation, message));
    }
    Ok(branches)
}

fn expand(combinator: Combinator, branches: &Branches) -> TokenStream {
    let private = private_path(None);
    let function = format_ident!("{}", combinator.name());
    let group_name = optional(branches.name.as_ref().map(LitStr::value));
    let operations = branches.branches.iter().map(|branch| &branch.operation);
    let names: Vec<Ident> = (0..branches.branches.len())
        .map(|index| format_ident!("__branch{index}", span = Span::mixed_site()))
        .collect();
    let arguments = branches.branches.iter().zip(&names).map(|(branch, name)| {
        let branch_name = optional(branch.name.as_ref().map(ToString::to_string));
        quote!({
            let __codec = (&&#private::probe_op(&#name)).codec();
            #private::branch(#branch_name, __codec, #name)
        })
    });
    let arguments = if combinator.is_heterogeneous() {
        quote!((#(#arguments,)*))
    } else {
        quote!(::std::vec![#(#arguments),*])
    };
    // A `match`, so that temporaries in the operations live as long as the statement around it.
    quote! {
        match (#(#private::op(#operations),)*) {
            (#(#names,)*) => {
                #[allow(unused_imports)] // only one of the two applies to a given output
                use #private::{ProbeFallible as _, ProbeInfallible as _};
                #private::#function(#group_name, #arguments)
            }
        }
    }
}

fn optional(name: Option<String>) -> TokenStream {
    match name {
        None => quote!(::core::option::Option::None),
        Some(name) => quote!(::core::option::Option::Some(#name)),
    }
}
