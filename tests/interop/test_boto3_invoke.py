"""Invoke through boto3: kinds of invocation, names, qualifiers, what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from by_hand import FunctionByHand
from harness import Server, scripted

Serve = Callable[..., Server]

#: The largest payload of a synchronous invocation.
LARGEST = 6 * 1024 * 1024


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(
        scripted("checkout"),
        scripted("short", execution_timeout="1s"),
        scripted("plain", durable=False),
    )


def invoke(server: Server, **request: Any) -> dict[str, Any]:
    request = {"FunctionName": "checkout", "Qualifier": "$LATEST"} | request
    request["Payload"] = json.dumps(request.get("Payload", {"script": [{"step": 1}]}))
    return server.client().invoke(**request)


def test_a_synchronous_invocation_has_the_result(server: Server) -> None:
    result = {"total": 950, "currency": "€", "items": []}
    answer = invoke(server, Payload={"script": [{"step": result}]})
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert json.loads(answer["Payload"].read()) == result
    execution = server.execution(answer["DurableExecutionArn"])
    assert execution["Status"] == "SUCCEEDED"
    assert json.loads(execution["Result"]) == result


def test_a_failed_execution_is_an_answer(server: Server) -> None:
    answer = invoke(server, Payload={"script": [{"fail": "CardRefused"}]})
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "CardRefused"
    assert error["errorMessage"] == "failed"
    assert server.execution(answer["DurableExecutionArn"])["Status"] == "FAILED"


def test_an_execution_that_takes_too_long_is_an_answer(server: Server) -> None:
    answer = invoke(server, FunctionName="short", Payload={"script": [{"wait": 3600}]})
    assert answer["FunctionError"] == "Unhandled"
    arn = answer["DurableExecutionArn"]
    assert server.execution(arn)["Status"] == "TIMED_OUT"
    assert server.history(arn)[-1]["EventType"] == "ExecutionTimedOut"


def test_an_event_is_accepted_at_once(server: Server) -> None:
    answer = invoke(server, InvocationType="Event", Payload={"script": [{"wait": 1}, {"step": "late"}]})
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    arn = answer["DurableExecutionArn"]
    assert server.execution(arn)["Status"] == "RUNNING"
    assert server.result(arn) == "late"


def test_a_dry_run_starts_nothing(server: Server) -> None:
    answer = invoke(server, InvocationType="DryRun", DurableExecutionName="dry")
    assert answer["StatusCode"] == 204
    assert "DurableExecutionArn" not in answer
    listed = server.client().list_durable_executions_by_function(
        FunctionName="checkout", DurableExecutionName="dry"
    )
    assert listed["DurableExecutions"] == []


def test_a_name_starts_one_execution(server: Server) -> None:
    again: dict[str, Any] = {"DurableExecutionName": "order-17", "Payload": {"script": [{"pid": True}, {"step": 17}]}}
    first = invoke(server, **again)
    arn = first["DurableExecutionArn"]
    assert arn.split("/")[-2] == "order-17"
    second = invoke(server, **again)
    assert second["DurableExecutionArn"] == arn
    assert second["Payload"].read() == first["Payload"].read()
    assert invoke(server, **again, InvocationType="Event")["DurableExecutionArn"] == arn

    exceptions = server.client().exceptions
    with pytest.raises(exceptions.DurableExecutionAlreadyStartedException) as refused:
        invoke(server, DurableExecutionName="order-17", Payload={"script": [{"step": 18}]})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert "order-17" in refused.value.response["Error"]["Message"]
    # The name belongs to the function.
    other = invoke(server, FunctionName="short", DurableExecutionName="order-17")
    assert other["DurableExecutionArn"] != arn


def test_names_have_a_form(server: Server) -> None:
    for name in ["a b", "a/b", "x" * 65]:
        with pytest.raises(server.client().exceptions.InvalidParameterValueException) as refused:
            invoke(server, DurableExecutionName=name)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_without_a_name_each_invocation_is_an_execution(server: Server) -> None:
    arns = {invoke(server)["DurableExecutionArn"] for _ in range(3)}
    assert len(arns) == 3


@pytest.mark.parametrize(
    "function",
    [
        "checkout:$LATEST",
        "000000000000:function:checkout:$LATEST",
        "arn:aws:lambda:us-east-1:000000000000:function:checkout:$LATEST",
        "arn:aws:lambda:eu-west-1:123456789012:function:checkout:7",
    ],
)
def test_a_function_is_named_in_every_form(server: Server, function: str) -> None:
    payload = json.dumps({"script": [{"step": "here"}]})
    answer = server.client().invoke(FunctionName=function, Payload=payload)
    assert json.loads(answer["Payload"].read()) == "here"


def test_a_durable_function_needs_a_qualifier(server: Server) -> None:
    for function in ["checkout", "arn:aws:lambda:us-east-1:000000000000:function:checkout"]:
        with pytest.raises(server.client().exceptions.InvalidParameterValueException) as refused:
            server.client().invoke(FunctionName=function, Payload="{}")
        assert "unqualified ARN" in refused.value.response["Error"]["Message"]


def test_an_unknown_function_is_not_found(server: Server) -> None:
    with pytest.raises(server.client().exceptions.ResourceNotFoundException) as refused:
        invoke(server, FunctionName="nowhere")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "Function not found" in refused.value.response["Error"]["Message"]


def test_a_payload_is_json_of_a_limited_size(server: Server) -> None:
    client = server.client()
    request = {"FunctionName": "checkout", "Qualifier": "$LATEST"}
    with pytest.raises(client.exceptions.InvalidRequestContentException) as refused:
        client.invoke(**request, Payload=b"{'not': json}")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400

    def padded(size: int) -> bytes:
        payload = json.dumps({"script": [{"step": "large"}], "padding": ""}).encode()
        return payload[:-2] + b"x" * (size - len(payload)) + payload[-2:]

    answer = client.invoke(**request, Payload=padded(LARGEST))
    assert json.loads(answer["Payload"].read()) == "large"
    execution = server.execution(answer["DurableExecutionArn"])
    assert len(execution["InputPayload"]) == LARGEST
    for kind, size in [("RequestResponse", LARGEST + 1), ("Event", 1024 * 1024 + 1)]:
        with pytest.raises(client.exceptions.RequestTooLargeException) as refused:
            client.invoke(**request, InvocationType=kind, Payload=padded(size))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_without_a_payload_the_event_is_empty(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("bare"))
    answer = server.client().invoke(FunctionName="bare", Qualifier="$LATEST", InvocationType="Event")
    invocation = by_hand.next()
    assert invocation.arn == answer["DurableExecutionArn"]
    assert invocation.operations[0]["ExecutionDetails"]["InputPayload"] == "{}"
    invocation.succeed()


def test_the_tail_of_the_log_comes_when_it_is_asked_for(server: Server) -> None:
    script = [{"print": "first line"}, {"print": "x" * 5000}, {"print": "last line"}]
    answer = invoke(server, LogType="Tail", Payload={"script": [*script, {"step": 1}]})
    tail = base64.b64decode(answer["LogResult"])
    assert len(tail) <= 4096
    assert b"last line" in tail
    assert b"first line" not in tail


def test_a_plain_function_gets_its_payload(server: Server) -> None:
    answer = server.client().invoke(FunctionName="plain", Payload=json.dumps({"return": [1, 2]}))
    assert json.loads(answer["Payload"].read()) == [1, 2]
    assert "DurableExecutionArn" not in answer
    answer = server.client().invoke(FunctionName="plain", Payload=json.dumps({"throw": "Broken"}))
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "Broken"


def test_client_context_and_tenant_reach_a_plain_function(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("plain", durable=False))
    context = base64.b64encode(b'{"client": {}}').decode()
    server.client().invoke(
        FunctionName="plain", InvocationType="Event", ClientContext=context, TenantId="blue", Payload="3"
    )
    invocation = by_hand.next()
    assert invocation.envelope == 3
    assert json.loads(base64.b64decode(invocation.headers["x-amz-client-context"])) == {"client": {}}
    assert invocation.headers["x-amz-tenant-id"] == "blue"
    invocation.answer(None)


def test_a_tenant_reaches_a_durable_function_each_time(serve: Serve, by_hand: FunctionByHand) -> None:
    server = serve(by_hand.function("shared"))
    request = {"FunctionName": "shared", "Qualifier": "$LATEST", "InvocationType": "Event"}
    arn = server.client().invoke(**request, TenantId="blue/green: 7")["DurableExecutionArn"]
    first = by_hand.next()
    assert first.headers["x-amz-tenant-id"] == "blue/green: 7"
    first.abandon()
    again = by_hand.next()
    assert again.arn == arn
    assert again.headers["x-amz-tenant-id"] == "blue/green: 7"
    again.succeed()


def test_headers_have_a_form(server: Server) -> None:
    for header in [
        {"InvocationType": "Later"},
        {"LogType": "Head"},
        {"TenantId": "x" * 257},
        {"TenantId": "blue?"},
    ]:
        with pytest.raises(server.client().exceptions.InvalidParameterValueException):
            invoke(server, **header)


def test_what_the_server_does_not_have_is_no_operation(server: Server) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        server.client().list_layers()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
