//! The two attributes from beginning to end: parse, check, expand; on failure the item and the errors.

use proc_macro2::TokenStream;
use quote::ToTokens as _;

use crate::args::{parse_execution_args, parse_step_args};
use crate::awaits::Scope;
use crate::check::{check_instrumented, check_interruptible, check_signature};
use crate::determinism::check_determinism;
use crate::diagnostics::Diagnostics;
use crate::expand::{expand_execution, expand_step};
use crate::fallback::item_with_errors;
use crate::function::parse_function;
use crate::hash_iteration::check_hash_iteration;
use crate::model::{Kind, Model};
use crate::versioned::check_versions;

pub(crate) fn durable_step(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Diagnostics::default();
    let mut args = parse_step_args(args, &mut problems);
    let Some(function) = problems.accept(parse_function(item.clone(), "durable_step")) else {
        return item_with_errors(item, problems);
    };
    if !check_signature(&function, Kind::Step, &mut problems) {
        return item_with_errors(item, problems);
    }
    check_interruptible(&function.signature, &mut args, &mut problems);
    let model = Model::new(function, std::mem::take(&mut args.common), &mut problems);
    item_with_errors(expand_step(&model, &args), problems)
}

pub(crate) fn durable_execution(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Diagnostics::default();
    let args = parse_execution_args(args, &mut problems);
    let Some(function) = problems.accept(parse_function(item.clone(), "durable_execution")) else {
        return item_with_errors(item, problems);
    };
    if !check_signature(&function, Kind::Execution, &mut problems) {
        return item_with_errors(item, problems);
    }
    let scope = if check_instrumented(&function, &mut problems) { Scope::Foreign } else { Scope::Durable };
    check_determinism(function.body.stream(), &mut problems);
    // A body that doesn't parse is rustc's to report.
    let block = syn::parse2::<syn::Block>(function.body.to_token_stream()).ok();
    if let Some(block) = &block {
        check_hash_iteration(&function.signature, block, &mut problems);
    }
    check_versions(function.body.stream(), args.version.unwrap_or(1), &mut problems);
    let model = Model::new(function, args, &mut problems);
    item_with_errors(expand_execution(&model, block.as_ref(), scope), problems)
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
