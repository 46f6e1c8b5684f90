"""Functions of the official SDKs: steps, waits, conditions and child contexts."""

import json

import pytest

from sdk import FILE, Host, Scenario, errors, payload

RETRIED = Scenario("retried")
EXHAUSTED = Scenario("exhausted")
WAITING = Scenario("waiting", greeting="hello")
CONDITION = Scenario("condition")
CHILD = Scenario("child")
FAILING = Scenario("failing")
RETRIED_BLOCK = Scenario("retried_block")
HANGING = Scenario(
    "crashing", function="impatient", semantics="AT_LEAST_ONCE_PER_RETRY", file=FILE, hang=60
)
CAUGHT_CHILD = Scenario("failing_child", catch=True)
ESCAPING_CHILD = Scenario("failing_child")
CRASHING = {
    semantics: Scenario("crashing", semantics=semantics, file=FILE)
    for semantics in ("AT_LEAST_ONCE_PER_RETRY", "AT_MOST_ONCE_PER_RETRY")
}


def test_a_step_is_retried_until_it_succeeds(sdk: Host) -> None:
    run = sdk[RETRIED]
    assert run.result() == {"attempts": 3}
    assert run.shape() == [
        "StepStarted unsteady",
        "StepFailed unsteady",
        "StepStarted unsteady",
        "StepFailed unsteady",
        "StepStarted unsteady",
        "StepSucceeded unsteady",
    ]
    failed = run.details("StepFailed")
    assert errors(failed) == [(sdk.language.declined, "attempt 1"), (sdk.language.declined, "attempt 2")]
    assert [details["RetryDetails"] for details in failed] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1},
    ]
    (succeeded,) = run.details("StepSucceeded")
    assert succeeded["RetryDetails"] == {"CurrentAttempt": 3}


def test_a_step_fails_for_good_with_its_last_error(sdk: Host) -> None:
    run = sdk[EXHAUSTED]
    assert run.failure() == (sdk.language.operation_error("StepError"), "attempt 2")
    failed = run.details("StepFailed")
    assert errors(failed) == [(sdk.language.declined, "attempt 1"), (sdk.language.declined, "attempt 2")]
    assert failed[1]["RetryDetails"] == {"CurrentAttempt": 2}, "no further attempt is announced"


def test_a_wait_ends_one_invocation_and_begins_the_next(sdk: Host) -> None:
    run = sdk[WAITING]
    assert run.result() == {"before": ["hello", 1.5, None, "ü"], "after": 4}
    assert run.shape() == [
        "StepStarted before",
        "StepSucceeded before",
        "WaitStarted pause",
        "WaitSucceeded pause",
        "StepStarted after",
        "StepSucceeded after",
    ]
    assert run.invocations() == [None, None]
    started, ended = (event for event in run.history if event.get("Name") == "pause")
    assert started["WaitStartedDetails"]["Duration"] == ended["WaitSucceededDetails"]["Duration"] == 1
    lasted = ended["EventTimestamp"] - started["EventTimestamp"]
    assert 1.0 <= lasted.total_seconds() < 2.0, "it is due after its duration, and not long after"


def test_a_condition_is_polled_with_the_state_of_the_poll_before(sdk: Host) -> None:
    run = sdk[CONDITION]
    assert run.result() == {"polls": 3, "attempt": 3}
    assert run.shape() == ["StepStarted polls", "StepSucceeded polls"] * 3
    assert run.operation("polls")["SubType"] == "WaitForCondition"
    polls = [details["RetryDetails"] for details in run.details("StepSucceeded")]
    assert polls == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 3},
    ]


def test_child_contexts_nest(sdk: Host) -> None:
    run = sdk[CHILD]
    assert run.result() == ["outer", "inner"]
    assert run.shape() == [
        "ContextStarted outer",
        "ContextStarted inner",
        "WaitStarted pause",
        "WaitSucceeded pause",
        "StepStarted step",
        "StepSucceeded step",
        "ContextSucceeded inner",
        "ContextSucceeded outer",
    ]
    outer, inner, step = (run.operation(name) for name in ("outer", "inner", "step"))
    assert "ParentId" not in outer
    assert (inner["ParentId"], step["ParentId"]) == (outer["Id"], inner["Id"])
    assert outer["SubType"] == inner["SubType"] == "RunInChildContext"


def test_an_error_that_no_operation_raised_is_the_executions(sdk: Host) -> None:
    run = sdk[FAILING]
    declined = (sdk.language.declined, "the order was declined")
    assert run.failure() == declined
    assert errors(run.details("ExecutionFailed")) == [declined]
    assert run.shape() == []
    assert run.invocations() == [sdk.language.declined], "a failure is not retried"


def test_errors_keep_their_types_through_child_contexts_and_replays(sdk: Host) -> None:
    run = sdk[CAUGHT_CHILD]
    child, step = ({"type": kind, "message": "no stock"} for kind in ("ChildContextError", "StepError"))
    # The first was caught again after the wait, from its record alone.
    assert run.result() == [child, step, child]
    assert errors(run.details("StepFailed")) == [(sdk.language.declined, "no stock")] * 2
    assert errors(run.details("ContextFailed")) == [(sdk.language.operation_error("StepError"), "no stock")] * 2


def test_an_escaping_error_names_the_operation_that_it_came_from(sdk: Host) -> None:
    run = sdk[ESCAPING_CHILD]
    assert run.failure() == (sdk.language.operation_error("ChildContextError"), "no stock")
    assert run.shape()[-4:] == [
        "ContextStarted escaping",
        "StepStarted decline",
        "StepFailed decline",
        "ContextFailed escaping",
    ]


def test_a_step_whose_process_dies_runs_again_as_the_same_attempt(sdk: Host) -> None:
    run = sdk[CRASHING["AT_LEAST_ONCE_PER_RETRY"]]
    assert run.result() == {"before": "kept", "attempt": 1}
    assert run.file.read_text().split() == ["1", "1"], "the body ran twice"
    assert run.shape() == [
        "StepStarted before",
        "StepSucceeded before",
        "StepStarted crashes",
        "StepSucceeded crashes",
    ]
    assert run.invocations() == ["Runtime.ExitError", None]
    assert run.details("StepSucceeded", "crashes")[0]["RetryDetails"] == {"CurrentAttempt": 1}


def test_a_step_that_runs_at_most_once_fails_with_its_process(sdk: Host) -> None:
    run = sdk[CRASHING["AT_MOST_ONCE_PER_RETRY"]]
    assert run.result() == {"before": "kept", "attempt": 2}
    assert run.file.read_text().split() == ["1", "2"], "no attempt ran twice"
    assert run.shape() == [
        "StepStarted before",
        "StepSucceeded before",
        "StepStarted crashes",
        "StepFailed crashes",
        "StepStarted crashes",
        "StepSucceeded crashes",
    ]
    assert run.invocations()[0] == "Runtime.ExitError"
    ((kind, _),) = errors(run.details("StepFailed"))
    assert kind.endswith("StepInterruptedError")


def test_a_step_that_outlasts_its_function_runs_again(sdk: Host) -> None:
    run = sdk[HANGING]
    assert run.result() == {"before": "kept", "attempt": 1}
    assert run.file.read_text().split() == ["1", "1"], "the body ran twice"
    assert run.invocations() == ["Sandbox.Timedout", None]


def test_a_block_is_retried_as_a_whole(sdk: Host) -> None:
    run = sdk[RETRIED_BLOCK]
    assert run.result() == 2
    assert run.shape() == [
        "ContextStarted block",
        "StepStarted unsteady",
        "StepFailed unsteady",
        "WaitStarted block-backoff-1",
        "WaitSucceeded block-backoff-1",
        "StepStarted unsteady",
        "StepSucceeded unsteady",
        "ContextSucceeded block",
    ]
    assert errors(run.details("StepFailed")) == [(sdk.language.declined, "attempt 1")]


def test_what_a_function_logs_is_kept_and_not_repeated_by_replays(sdk: Host) -> None:
    run = sdk[WAITING]
    run.result()
    logs = sdk.server.logs(run.arn)
    assert logs.count("about to wait") == 1, logs


def test_invoke_answers_with_what_the_function_returned(sdk: Host) -> None:
    assert sdk.server.run("echo", {"some": ["ü", None]}) == {"some": ["ü", None]}
    answer = sdk.server.client().invoke(FunctionName="fail:$LATEST", Payload="{}")
    assert answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == (sdk.language.declined, "the order was declined")


@pytest.mark.parametrize("scenario", [WAITING, CHILD], ids=lambda scenario: scenario.name)
def test_results_are_recorded_as_json_text(sdk: Host, scenario: Scenario) -> None:
    run = sdk[scenario]
    (ended,) = run.details("ExecutionSucceeded")
    assert payload(ended) == run.result()
    (started,) = run.details("ExecutionStarted")
    assert payload(started, "Input") == {"scenario": scenario.name, **scenario.inputs}
