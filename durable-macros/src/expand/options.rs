//! Options as the constants that the runtime takes.

use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::args::StepArgs;
use crate::retry_args::{Jitter, Retry, RetryArgs};

/// `StepOptions { .. }` with what was written; everything else has the runtime's default. The name is not
/// among them: it stands in the `Meta`.
pub(crate) fn expand_step_options(args: &StepArgs, private: &TokenStream) -> TokenStream {
    let mut fields = Vec::new();
    if let Some(retry) = &args.retry {
        let policy = expand_retry(retry, private);
        fields.push(quote!(retry: ::core::option::Option::Some(#policy)));
    }
    if args.at_most_once.is_some() {
        fields.push(quote!(at_most_once: true));
    }
    if let Some(timeout) = args.timeout {
        let timeout = expand_duration(timeout);
        fields.push(quote!(timeout: ::core::option::Option::Some(#timeout)));
    }
    if fields.is_empty() {
        quote!(#private::StepOptions::DEFAULT)
    } else {
        quote!(#private::StepOptions { #(#fields,)* ..#private::StepOptions::DEFAULT })
    }
}

fn expand_retry(retry: &Retry, private: &TokenStream) -> TokenStream {
    match retry {
        Retry::Expression(policy) => quote!(#policy),
        Retry::Never => expand_policy(&RetryArgs { max_attempts: 1, ..RetryArgs::default() }, private),
        Retry::Policy(policy) => expand_policy(policy, private),
    }
}

fn expand_policy(policy: &RetryArgs, private: &TokenStream) -> TokenStream {
    let max_attempts = Literal::u32_unsuffixed(policy.max_attempts);
    let (initial_delay, max_delay) =
        (expand_duration(policy.initial_delay), expand_duration(policy.max_delay));
    let backoff = policy.backoff;
    let jitter = match policy.jitter {
        Jitter::None => quote!(None),
        Jitter::Half => quote!(Half),
        Jitter::Full => quote!(Full),
    };
    let retry_if = match &policy.retry_if {
        None => quote!(::core::option::Option::None),
        Some(function) => quote!(::core::option::Option::Some(#function)),
    };
    quote! {
        #private::RetryPolicy {
            max_attempts: #max_attempts,
            initial_delay: #initial_delay,
            backoff: #backoff,
            max_delay: #max_delay,
            jitter: #private::Jitter::#jitter,
            retry_if: #retry_if,
        }
    }
}

fn expand_duration(duration: Duration) -> TokenStream {
    // Written durations are whole milliseconds below `u64::MAX`, see `duration.rs`.
    let milliseconds = Literal::u64_unsuffixed(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    quote!(::core::time::Duration::from_millis(#milliseconds))
}
