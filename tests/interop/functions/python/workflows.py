"""Durable functions written with AWS's Python SDK, as a user would write them.

`scenario` in the input chooses one; `../node/workflows.mjs` says the same in JavaScript, operation by operation.
"""

import os
import time
from pathlib import Path

from aws_durable_execution_sdk_python import (
    CallbackError,
    ChildContextError,
    InvokeError,
    WithRetryConfig,
    durable_execution,
    with_retry,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    MapConfig,
    NestingType,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
)

ONE_SECOND = Duration.from_seconds(1)
NO_RETRY = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


class Declined(Exception):
    """What the workflows here fail with."""


def attempts(count, semantics=StepSemantics.AT_LEAST_ONCE_PER_RETRY):
    def strategy(error, attempt):
        return RetryDecision.retry(ONE_SECOND) if attempt < count else RetryDecision.no_retry()

    return StepConfig(retry_strategy=strategy, step_semantics=semantics)


def caught(error):
    return {"type": type(error).__name__, "message": str(error)}


def retried(event, context):
    def unsteady(step):
        if step.attempt < 3:
            raise Declined(f"attempt {step.attempt}")
        return {"attempts": step.attempt}

    return context.step(unsteady, name="unsteady", config=attempts(4))


def exhausted(event, context):
    def hopeless(step):
        raise Declined(f"attempt {step.attempt}")

    return context.step(hopeless, name="hopeless", config=attempts(2))


def waiting(event, context):
    before = context.step(lambda step: [event["greeting"], 1.5, None, "ü"], name="before")
    context.logger.warning("about to wait")
    context.wait(Duration.from_seconds(event.get("seconds", 1)), name="pause")
    after = context.step(lambda step: len(before), name="after")
    return {"before": before, "after": after}


def callback(event, context):
    config = CallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 0)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)),
    )
    approval = context.create_callback(name="approval", config=config)
    context.step(lambda step: None, name="told")
    try:
        return {"result": approval.result()}
    except CallbackError as error:
        return caught(error)


def wait_for_callback(event, context):
    config = WaitForCallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 0)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)),
    )

    def submit(callback_id, submission):
        if event.get("refuse"):
            raise Declined("the submitter refuses")
        Path(event["file"]).write_text(callback_id)

    if event.get("refuse"):
        config = WaitForCallbackConfig(retry_strategy=NO_RETRY.retry_strategy)
    try:
        return {"result": context.wait_for_callback(submit, name="approval", config=config)}
    except CallbackError as error:
        return caught(error)


def child(event, context):
    def inner(scope):
        scope.wait(ONE_SECOND, name="pause")
        return scope.step(lambda step: "inner", name="step")

    def outer(scope):
        return ["outer", scope.run_in_child_context(inner, name="inner")]

    return context.run_in_child_context(outer, name="outer")


def failing_child(event, context):
    def decline(step):
        raise Declined("no stock")

    def order(scope):
        return scope.step(decline, name="decline", config=NO_RETRY)

    errors = []
    try:
        context.run_in_child_context(order, name="caught")
    except ChildContextError as error:
        errors = [caught(error), caught(error.__cause__)]
    context.wait(ONE_SECOND, name="pause")
    try:
        # As seen by a replay that has only the record of the one before.
        context.run_in_child_context(order, name="escaping")
    except ChildContextError as error:
        if event.get("catch"):
            return [*errors, caught(error)]
        raise


def mapped(event, context):
    def double(scope, item, index, items):
        doubled = scope.step(lambda step: item * 2, name="double")
        if index == 1:
            scope.wait(ONE_SECOND, name="pause")
        return doubled

    batch = context.map(event["items"], double, name="doubles", config=MapConfig(max_concurrency=2))
    context.wait(ONE_SECOND, name="pause")
    return {"results": batch.get_results(), "reason": batch.completion_reason.value}


def first_of_parallel(event, context):
    def slow(scope):
        scope.wait(Duration.from_hours(1), name="an hour")
        return "slow"

    def fast(scope):
        return scope.step(lambda step: "fast", name="fast")

    config = ParallelConfig(completion_config=CompletionConfig.first_successful())
    batch = context.parallel([slow, fast], name="race", config=config)
    context.wait(ONE_SECOND, name="pause")
    return {
        "results": batch.get_results(),
        "reason": batch.completion_reason.value,
        "statuses": [item.status.value for item in batch.all],
    }


def tolerant_parallel(event, context):
    def decline(step):
        raise Declined("branch 1")

    def branch(number):
        def run(scope):
            if number == 1:
                return scope.step(decline, name="decline", config=NO_RETRY)
            scope.wait(ONE_SECOND, name="pause")
            return number

        return run

    config = ParallelConfig(completion_config=CompletionConfig(tolerated_failure_count=1))
    batch = context.parallel([branch(0), branch(1), branch(2)], name="branches", config=config)
    context.wait(ONE_SECOND, name="pause")
    return {
        "results": batch.get_results(),
        "reason": batch.completion_reason.value,
        "errors": [{"type": error.type, "message": error.message} for error in batch.get_errors()],
    }


def condition(event, context):
    def poll(state, check):
        return {"polls": state["polls"] + 1, "attempt": check.attempt}

    def strategy(state, attempt):
        if state["polls"] >= 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(ONE_SECOND)

    config = WaitForConditionConfig(wait_strategy=strategy, initial_state={"polls": 0})
    return context.wait_for_condition(poll, config, name="polls")


def invoking(event, context):
    returned = [context.invoke(event["target"], payload, name="call") for payload in event["payloads"]]
    context.wait(ONE_SECOND, name="pause")
    return returned


def invoking_failure(event, context):
    try:
        return context.invoke(event["target"], event.get("payload"), name="call")
    except InvokeError as error:
        if event.get("catch"):
            return caught(error)
        raise


def large_child(event, context):
    def body(scope):
        letter = scope.step(lambda step: "x", name="letter")
        return letter * event["size"]

    before = context.run_in_child_context(body, name="large")
    context.wait(ONE_SECOND, name="pause")
    return {"length": len(before)}


def large_map(event, context):
    def body(scope, item, index, items):
        return scope.step(lambda step: item * event["size"], name="text")

    batch = context.map(["a", "b", "c"], body, name="large")
    context.wait(ONE_SECOND, name="pause")
    return {
        "results": [[text[0], len(text)] for text in batch.get_results()],
        "reason": batch.completion_reason.value,
    }


def flat_map(event, context):
    def body(scope, item, index, items):
        text = scope.step(lambda step: item * event["size"], name="text")
        scope.wait(ONE_SECOND, name="pause")
        return text

    config = MapConfig(nesting_type=NestingType.FLAT)
    batch = context.map(["a", "b", "c"], body, name="flat", config=config)
    context.wait(ONE_SECOND, name="pause")
    return {
        "results": [[text[0], len(text)] for text in batch.get_results()],
        "reason": batch.completion_reason.value,
    }


def retried_block(event, context):
    def block(scope, attempt):
        def unsteady(step):
            if attempt < 2:
                raise Declined(f"attempt {attempt}")
            return attempt

        return scope.step(unsteady, name="unsteady", config=NO_RETRY)

    def strategy(error, attempt):
        return RetryDecision.retry(ONE_SECOND)

    return with_retry(context, block, WithRetryConfig(retry_strategy=strategy), name="block")


def large_result(event, context):
    return "x" * event["size"]


def large_state(event, context):
    texts = [
        context.step(lambda step: "x" * event["size"], name=f"step-{number}")
        for number in range(event["steps"])
    ]
    context.wait(ONE_SECOND, name="pause")
    return sum(len(text) for text in texts)


def crashing(event, context):
    def crash_once(step):
        with open(event["file"], "a") as runs:
            runs.write(f"{step.attempt}\n")
        if len(Path(event["file"]).read_text().splitlines()) == 1:
            # Until the start of an at-least-once step has been sent as well; or until the function's time is over.
            time.sleep(event.get("hang", 0.5))
            os._exit(7)
        return {"attempt": step.attempt}

    before = context.step(lambda step: "kept", name="before")
    survived = context.step(crash_once, name="crashes", config=attempts(3, StepSemantics(event["semantics"])))
    return {"before": before, **survived}


def held(event, context):
    """A step that says which process it is in, and lasts until a test ends it."""

    def hold(step):
        Path(event["file"]).write_text(str(os.getpid()))
        while not Path(event["file"] + ".release").exists():
            time.sleep(0.02)
        return "released"

    before = context.step(lambda step: "kept", name="before")
    return {"before": before, "held": context.step(hold, name="held")}


def failing(event, context):
    raise Declined("the order was declined")


SCENARIOS = {
    function.__name__: function
    for function in (
        retried,
        exhausted,
        waiting,
        callback,
        wait_for_callback,
        child,
        failing_child,
        mapped,
        first_of_parallel,
        tolerant_parallel,
        condition,
        invoking,
        invoking_failure,
        large_child,
        large_map,
        flat_map,
        retried_block,
        large_result,
        large_state,
        crashing,
        held,
        failing,
    )
}


@durable_execution
def handler(event, context):
    return SCENARIOS[event["scenario"]](event, context)


@durable_execution
def echo(event, context):
    """Returns its input, after a step that says where it was."""
    return context.step(lambda step: event, name="python")


@durable_execution
def fail(event, context):
    return failing(event, context)
