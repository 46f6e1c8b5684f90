"""Functions of the official SDKs invoke functions in Rust, and are invoked by them."""

from typing import Any

import pytest

from sdk import Host, Scenario, errors, payload

PAYLOADS: list[Any] = ["text", {"nested": [1, 2.5, None, {"ü": "\n"}]}, None]
#: Every function that `invoking` is tried with; all of them answer with their input.
ECHOES = ["rust-echo", "echo"]

INVOKING = {
    target: Scenario("invoking", target=f"{target}:$LATEST", payloads=PAYLOADS) for target in ECHOES
}
FAILING = {
    target: Scenario("invoking_failure", target=f"{target}:$LATEST", catch=True) for target in ("rust-fail", "fail")
}
ESCAPING = Scenario("invoking_failure", target="rust-fail:$LATEST")
UNKNOWN = Scenario("invoking_failure", target="nobody:$LATEST", catch=True)
# The SDK's function, a function in Rust, and the SDK's again.
THERE_AND_BACK = Scenario(
    "invoking", target="rust-relay:$LATEST", payloads=[{"function": "echo:$LATEST", "input": PAYLOADS}]
)
# An error on the same way.
FAILING_THERE = Scenario(
    "invoking_failure",
    target="rust-relay:$LATEST",
    payload={"function": "fail:$LATEST", "input": None},
    catch=True,
)

DECLINED = "the order was declined"


@pytest.mark.parametrize("target", ECHOES)
def test_payloads_go_there_and_back_unchanged(sdk: Host, target: str) -> None:
    run = sdk[INVOKING[target]]
    assert run.result() == PAYLOADS
    assert run.shape() == [
        *["ChainedInvokeStarted call", "ChainedInvokeSucceeded call"] * 3,
        "WaitStarted pause",
        "WaitSucceeded pause",
    ]
    assert run.operation("call")["SubType"] == "ChainedInvoke"
    for sent, started, ended in zip(
        PAYLOADS, run.details("ChainedInvokeStarted"), run.details("ChainedInvokeSucceeded"), strict=True
    ):
        assert started["FunctionName"] == f"{target}:$LATEST"
        assert payload(started, "Input") == payload(ended) == sent
        invoked = sdk.server.execution(started["DurableExecutionArn"])
        assert invoked["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("target", FAILING)
def test_a_failure_of_the_invoked_function_is_an_error_of_the_invoke(sdk: Host, target: str) -> None:
    message = {"rust-fail": "this function always fails", "fail": DECLINED}[target]
    run = sdk[FAILING[target]]
    assert run.result() == {"type": "InvokeError", "message": message}
    (started,) = run.details("ChainedInvokeStarted")
    invoked = sdk.server.execution(started["DurableExecutionArn"])
    assert invoked["Status"] == "FAILED"
    (failed,) = run.details("ChainedInvokeFailed")
    assert failed["Error"]["Payload"] == invoked["Error"]
    if target == "fail":
        assert invoked["Error"]["ErrorType"] == sdk.language.declined


def test_an_escaping_error_of_an_invoke_is_the_callers(sdk: Host) -> None:
    run = sdk[ESCAPING]
    assert run.failure() == (sdk.language.operation_error("InvokeError"), "this function always fails")


def test_an_unknown_function_fails_the_invoke(sdk: Host) -> None:
    run = sdk[UNKNOWN]
    message = "Function not found: nobody:$LATEST"
    assert run.result() == {"type": "InvokeError", "message": message}
    assert errors(run.details("ChainedInvokeFailed")) == [("ResourceNotFoundException", message)]


def test_a_rust_function_invokes_the_sdks_and_returns_its_result(sdk: Host) -> None:
    run = sdk[THERE_AND_BACK]
    assert run.result() == [PAYLOADS]
    (started,) = run.details("ChainedInvokeStarted")
    relay = sdk.server.history(started["DurableExecutionArn"])
    (invoked,) = (event for event in relay if event["EventType"] == "ChainedInvokeStarted")
    innermost = invoked["ChainedInvokeStartedDetails"]["DurableExecutionArn"]
    (step,) = (event for event in sdk.server.history(innermost) if event["EventType"] == "StepSucceeded")
    assert step["Name"] == sdk.language.name, "it ran in the SDK's language"


def test_an_error_of_the_sdks_reaches_the_sdk_through_a_rust_function(sdk: Host) -> None:
    run = sdk[FAILING_THERE]
    assert run.result() == {"type": "InvokeError", "message": DECLINED}
    (failed,) = errors(run.details("ChainedInvokeFailed"))
    assert failed == ("InvokeError", DECLINED), "what a function in Rust calls it, in the other one's words"
    (started,) = run.details("ChainedInvokeStarted")
    relay = sdk.server.history(started["DurableExecutionArn"])
    (inner,) = (event for event in relay if event["EventType"] == "ChainedInvokeFailed")
    assert errors([inner["ChainedInvokeFailedDetails"]]) == [(sdk.language.declined, DECLINED)]
