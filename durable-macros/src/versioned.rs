//! `versioned!(from 2 => new, else old)`: code by the version that an execution was begun with.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, LitInt, Token};

use crate::args::parse_version;
use crate::diagnostics::Diagnostics;
use crate::model::private_path;
use crate::tokens::{is_ident, is_punct};

const USAGE: &str = "write `versioned!(from 2 => new, else old)`";

mod keyword {
    syn::custom_keyword!(from);
}

/// `from 3 => a, from 2 => b, else c`
struct Versions {
    branches: Vec<(u32, Expr)>,
    otherwise: Option<Expr>,
}

impl Parse for Versions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut versions = Self { branches: Vec::new(), otherwise: None };
        while !input.is_empty() {
            if input.peek(Token![else]) {
                input.parse::<Token![else]>()?;
                input.parse::<Option<Token![=>]>>()?;
                versions.otherwise = Some(input.parse()?);
                input.parse::<Option<Token![,]>>()?;
                if !input.is_empty() {
                    return Err(input.error(format!("`else` is the last branch; {USAGE}")));
                }
                break;
            }
            if !input.peek(keyword::from) {
                return Err(input.error(format!("a branch begins with `from` or `else`; {USAGE}")));
            }
            input.parse::<keyword::from>()?;
            let literal: LitInt = input.parse()?;
            let version = parse_version(&literal)?;
            if versions.branches.last().is_some_and(|(before, _)| *before <= version) {
                let message =
                    format!("the branch above takes version {version} too; begin with the latest version");
                return Err(syn::Error::new_spanned(literal, message));
            }
            input.parse::<Token![=>]>()?;
            versions.branches.push((version, input.parse()?));
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if versions.branches.is_empty() {
            return Err(input.error(format!("there is no version to tell apart; {USAGE}")));
        }
        Ok(versions)
    }
}

pub(crate) fn expand_versioned(input: TokenStream) -> TokenStream {
    let Versions { branches, otherwise } = match syn::parse2(input) {
        Ok(versions) => versions,
        Err(error) => return error.to_compile_error(),
    };
    let private = private_path(None);
    let branches =
        branches.iter().map(|(version, code)| quote!(if #private::is_version(#version) { #code } else));
    let otherwise = otherwise.map_or_else(
        || quote!(match #private::DurableAwait::__durable_await(#private::Unsupported).await {}),
        |code| quote!(#code),
    );
    quote!(#(#branches)* { #otherwise })
}

/// The branches of a `versioned!` that was written, for who only looks at them.
pub(crate) fn written_versions(input: TokenStream) -> Vec<(String, Expr)> {
    let Ok(Versions { branches, otherwise }) = syn::parse2(input) else { return Vec::new() };
    let branches = branches.into_iter().map(|(version, code)| (format!("from {version}"), code));
    branches.chain(otherwise.map(|code| ("else".to_owned(), code))).collect()
}

/// Reports each `versioned!(from N ..)` in the body of a function whose version is below N.
pub(crate) fn check_versions(body: TokenStream, declared: u32, problems: &mut Diagnostics) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_versioned =
            at >= 2 && is_punct(&tokens, at - 1, '!') && is_ident(&tokens, at - 2, "versioned");
        if is_versioned {
            check_branches(group.stream(), declared, problems);
        }
        check_versions(group.stream(), declared, problems);
    }
}

fn check_branches(tokens: TokenStream, declared: u32, problems: &mut Diagnostics) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate().skip(1) {
        let TokenTree::Literal(literal) = token else { continue };
        let is_branch = is_ident(&tokens, at - 1, "from") && is_punct(&tokens, at + 1, '=');
        let Ok(version) = literal.to_string().parse::<u32>() else { continue };
        if is_branch && version > declared {
            problems.push(
                literal,
                format!(
                    "this function has version {declared}, so this branch is never taken; \
                     declare the version: `#[durable_execution(version = {version})]`"
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tokens: TokenStream) -> Result<(Vec<u32>, bool), String> {
        let versions: Versions = syn::parse2(tokens).map_err(|error| error.to_string())?;
        let numbers = versions.branches.iter().map(|(version, _)| *version).collect();
        Ok((numbers, versions.otherwise.is_some()))
    }

    #[test]
    fn takes_versions_from_the_latest_down() {
        assert_eq!(parse(quote!(from 3 => a, from 2 => { b }, else c)), Ok((vec![3, 2], true)));
        assert_eq!(parse(quote!(from 2 => a.b()?, else => c,)), Ok((vec![2], true)));
        assert_eq!(parse(quote!(from 2 => a)), Ok((vec![2], false)));
    }

    #[test]
    fn says_what_is_wrong() {
        for (tokens, part) in [
            (quote!(), "no version to tell apart"),
            (quote!(else a), "no version to tell apart"),
            (quote!(from 2 => a, from 3 => b), "takes version 3 too"),
            (quote!(from 0 => a), "counted from 1"),
            (quote!(2 => a), "begins with `from` or `else`"),
            (quote!(from 2 => a, else b, from 1 => c), "`else` is the last branch"),
        ] {
            let problem = parse(tokens.clone()).expect_err("the tokens are wrong");
            assert!(problem.contains(part), "{tokens}: {problem}");
        }
    }

    #[test]
    fn branches_above_the_declared_version_are_found_wherever_they_stand() {
        let body = quote!({
            if x {
                versioned!(from 3 => a, from 2 => { versioned!(from 4 => b) })
            }
        });
        let mut problems = Diagnostics::default();
        check_versions(body, 2, &mut problems);
        let messages = problems.messages();
        assert_eq!(messages.len(), 2, "{messages:#?}");
        assert!(messages.iter().all(|message| message.contains("never taken")), "{messages:#?}");
    }
}
