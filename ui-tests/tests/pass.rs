//! The corrected twin of every case in `fail/`: all of them compile.

#![allow(
    dead_code,
    unused_imports,
    clippy::all,
    reason = "a correction differs from its mistake in one point"
)]

#[path = "../pass/argument_not_clone.rs"]
mod argument_not_clone;
#[path = "../pass/async_closure.rs"]
mod async_closure;
#[path = "../pass/async_closure_without_a_block.rs"]
mod async_closure_without_a_block;
#[path = "../pass/at_most_once_without_a_result.rs"]
mod at_most_once_without_a_result;
#[path = "../pass/at_most_once_without_interrupted.rs"]
mod at_most_once_without_interrupted;
#[path = "../pass/await_in_a_debug_assertion.rs"]
mod await_in_a_debug_assertion;
#[path = "../pass/await_in_a_log_macro.rs"]
mod await_in_a_log_macro;
#[path = "../pass/await_on_a_number.rs"]
mod await_on_a_number;
#[path = "../pass/await_on_an_option.rs"]
mod await_on_an_option;
#[path = "../pass/bad_duration.rs"]
mod bad_duration;
#[path = "../pass/block_spawned_through_an_alias.rs"]
mod block_spawned_through_an_alias;
#[path = "../pass/blocking_timer.rs"]
mod blocking_timer;
#[path = "../pass/callback_bad_timeout.rs"]
mod callback_bad_timeout;
#[path = "../pass/callback_without_a_type.rs"]
mod callback_without_a_type;
#[path = "../pass/clock.rs"]
mod clock;
#[path = "../pass/clock_in_a_closure.rs"]
mod clock_in_a_closure;
#[path = "../pass/clock_in_a_macro.rs"]
mod clock_in_a_macro;
#[path = "../pass/compensation_by_reference.rs"]
mod compensation_by_reference;
#[path = "../pass/compensation_of_an_execution.rs"]
mod compensation_of_an_execution;
#[path = "../pass/compensation_of_another_type.rs"]
mod compensation_of_another_type;
#[path = "../pass/compensation_plain_future.rs"]
mod compensation_plain_future;
#[path = "../pass/compensation_without_a_value.rs"]
mod compensation_without_a_value;
#[path = "../pass/duplicate_option.rs"]
mod duplicate_option;
#[path = "../pass/duration_without_unit.rs"]
mod duration_without_unit;
#[path = "../pass/environment.rs"]
mod environment;
#[path = "../pass/error_not_durable.rs"]
mod error_not_durable;
#[path = "../pass/execution_error_not_durable.rs"]
mod execution_error_not_durable;
#[path = "../pass/execution_in_ordinary_code.rs"]
mod execution_in_ordinary_code;
#[path = "../pass/execution_not_async.rs"]
mod execution_not_async;
#[path = "../pass/execution_value_not_durable.rs"]
mod execution_value_not_durable;
#[path = "../pass/files.rs"]
mod files;
#[path = "../pass/files_awaited.rs"]
mod files_awaited;
#[path = "../pass/forgotten_await.rs"]
mod forgotten_await;
#[path = "../pass/hash_iteration.rs"]
mod hash_iteration;
#[path = "../pass/hash_iteration_in_map.rs"]
mod hash_iteration_in_map;
#[path = "../pass/inline_step_move.rs"]
mod inline_step_move;
#[path = "../pass/inline_step_mutates_a_capture.rs"]
mod inline_step_mutates_a_capture;
#[path = "../pass/inline_step_unknown_option.rs"]
mod inline_step_unknown_option;
#[path = "../pass/inline_step_without_a_block.rs"]
mod inline_step_without_a_block;
#[path = "../pass/inline_step_without_a_name.rs"]
mod inline_step_without_a_name;
#[path = "../pass/instrument_above.rs"]
mod instrument_above;
#[path = "../pass/join_of_too_many_branches.rs"]
mod join_of_too_many_branches;
#[path = "../pass/join_plain_future.rs"]
mod join_plain_future;
#[path = "../pass/join_without_branches.rs"]
mod join_without_branches;
#[path = "../pass/map_plain_future.rs"]
mod map_plain_future;
#[path = "../pass/name_not_ascii.rs"]
mod name_not_ascii;
#[path = "../pass/name_that_differs.rs"]
mod name_that_differs;
#[path = "../pass/network.rs"]
mod network;
#[path = "../pass/not_a_function.rs"]
mod not_a_function;
#[path = "../pass/not_send.rs"]
mod not_send;
#[path = "../pass/plain_future.rs"]
mod plain_future;
#[path = "../pass/plain_future_in_a_block.rs"]
mod plain_future_in_a_block;
#[path = "../pass/plain_future_in_a_variable.rs"]
mod plain_future_in_a_variable;
#[path = "../pass/plain_future_in_an_unknown_macro.rs"]
mod plain_future_in_an_unknown_macro;
#[path = "../pass/plain_future_in_vec.rs"]
mod plain_future_in_vec;
#[path = "../pass/plain_value_not_durable.rs"]
mod plain_value_not_durable;
#[path = "../pass/process.rs"]
mod process;
#[path = "../pass/race_of_different_outputs.rs"]
mod race_of_different_outputs;
#[path = "../pass/race_plain_future.rs"]
mod race_plain_future;
#[path = "../pass/randomness.rs"]
mod randomness;
#[path = "../pass/retry_key_outside_of_retry.rs"]
mod retry_key_outside_of_retry;
#[path = "../pass/retry_on_execution.rs"]
mod retry_on_execution;
#[path = "../pass/retry_without_attempts.rs"]
mod retry_without_attempts;
#[path = "../pass/saga_without_a_block.rs"]
mod saga_without_a_block;
#[path = "../pass/select.rs"]
mod select;
#[path = "../pass/serve_a_borrowed_input.rs"]
mod serve_a_borrowed_input;
#[path = "../pass/serve_a_step.rs"]
mod serve_a_step;
#[path = "../pass/serve_an_input_without_serde.rs"]
mod serve_an_input_without_serde;
#[path = "../pass/serve_an_ordinary_function.rs"]
mod serve_an_ordinary_function;
#[path = "../pass/serve_two_inputs.rs"]
mod serve_two_inputs;
#[path = "../pass/several_mistakes.rs"]
mod several_mistakes;
#[path = "../pass/spawn.rs"]
mod spawn;
#[path = "../pass/step_in_a_step.rs"]
mod step_in_a_step;
#[path = "../pass/step_in_ordinary_code.rs"]
mod step_in_ordinary_code;
#[path = "../pass/step_mut_argument.rs"]
mod step_mut_argument;
#[path = "../pass/step_mut_self.rs"]
mod step_mut_self;
#[path = "../pass/step_not_async.rs"]
mod step_not_async;
#[path = "../pass/step_spawned.rs"]
mod step_spawned;
#[path = "../pass/step_timeout_without_interrupted.rs"]
mod step_timeout_without_interrupted;
#[path = "../pass/submit_plain_future.rs"]
mod submit_plain_future;
#[path = "../pass/syntax_error_in_body.rs"]
mod syntax_error_in_body;
#[path = "../pass/timeout.rs"]
mod timeout;
#[path = "../pass/timer.rs"]
mod timer;
#[path = "../pass/tokio_join.rs"]
mod tokio_join;
#[path = "../pass/type_mismatch.rs"]
mod type_mismatch;
#[path = "../pass/unknown_option.rs"]
mod unknown_option;
#[path = "../pass/unnamed_output.rs"]
mod unnamed_output;
#[path = "../pass/use_after_move.rs"]
mod use_after_move;
#[path = "../pass/uuid.rs"]
mod uuid;
#[path = "../pass/value_not_durable.rs"]
mod value_not_durable;
#[path = "../pass/version_undeclared.rs"]
mod version_undeclared;
#[path = "../pass/version_zero.rs"]
mod version_zero;
#[path = "../pass/versions_out_of_order.rs"]
mod versions_out_of_order;
#[path = "../pass/wait_too_long.rs"]
mod wait_too_long;
#[path = "../pass/wait_too_short.rs"]
mod wait_too_short;
#[path = "../pass/with_retry_plain_future.rs"]
mod with_retry_plain_future;
#[path = "../pass/wrong_output.rs"]
mod wrong_output;

#[test]
fn every_mistake_has_its_correction_here() {
    let listed = include_str!("pass.rs");
    let fail = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fail");
    let mut cases = 0;
    for entry in fail.read_dir().expect("`fail` is a directory") {
        let path = entry.expect("`fail` can be read").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().and_then(|name| name.to_str()).expect("file names are ascii");
            assert!(listed.contains(&format!("\"../pass/{name}\"")), "pass/{name} is missing or not listed");
            cases += 1;
        }
    }
    assert!(cases >= 60, "cases have gone missing");
}
