"""Checks what the server sends against AWS's model of its API, which clients themselves read leniently."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.client
import botocore.model

Shape = botocore.model.Shape

JSON_TYPES = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "timestamp": (int, float),
    "structure": dict,
    "list": list,
}


class ModelViolation(AssertionError):
    """The server has sent what the model does not allow."""


def watch(client: botocore.client.BaseClient) -> None:
    """Makes every answer that this client gets fail when it is not what the model says."""
    model = client.meta.service_model
    client.meta.events.register("before-parse.lambda", lambda **event: _check_answer(model, **event))


def _check_answer(
    model: botocore.model.ServiceModel,
    operation_model: botocore.model.OperationModel,
    response_dict: dict[str, Any],
    **_: Any,
) -> None:
    status, headers = response_dict["status_code"], response_dict["headers"]
    where = operation_model.name
    if "x-amzn-requestid" not in headers:
        raise ModelViolation(f"{where}: no x-amzn-RequestId")
    if status >= 300:
        _check_refusal(model, where, response_dict)
        return
    expected = operation_model.http.get("responseCode", 200)
    if operation_model.name != "Invoke" and status != expected:
        raise ModelViolation(f"{where}: status {status}, not {expected}")
    output = operation_model.output_shape
    if output is None or "payload" in output.serialization:
        return
    if headers.get("content-type") != "application/json":
        raise ModelViolation(f"{where}: content type {headers.get('content-type')}")
    _check(output, json.loads(response_dict["body"]), where)


def _check_refusal(
    model: botocore.model.ServiceModel, where: str, response_dict: dict[str, Any]
) -> None:
    name = response_dict["headers"].get("x-amzn-errortype")
    shape = model.shape_for_error_code(name)
    if shape is None:
        return  # Such as UnknownOperationException, which no model has.
    expected = shape.metadata["error"]["httpStatusCode"]
    if response_dict["status_code"] != expected:
        raise ModelViolation(f"{where}: {name} with {response_dict['status_code']}, not {expected}")
    _check(shape, json.loads(response_dict["body"]), f"{where}: {name}")


def _check(shape: Shape, value: Any, where: str) -> None:
    kind = JSON_TYPES[shape.type_name]
    # For Python, `True` is an integer, too.
    if not isinstance(value, kind) or (isinstance(value, bool) and shape.type_name != "boolean"):
        raise ModelViolation(f"{where}: {value!r} is no {shape.type_name}")
    if shape.type_name == "structure":
        _check_structure(shape, value, where)
    elif shape.type_name == "list":
        for position, item in enumerate(value):
            _check(shape.member, item, f"{where}[{position}]")
    elif shape.type_name == "string":
        _check_text(shape, value, where)
    elif shape.type_name in ("integer", "long"):
        _check_bounds(shape, value, where, str(value))


def _check_structure(shape: Shape, value: dict[str, Any], where: str) -> None:
    in_body = {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    for name in value.keys() - in_body.keys():
        raise ModelViolation(f"{where}: the model has no member {name}")
    for name in set(shape.required_members) - value.keys():
        if name in in_body:
            raise ModelViolation(f"{where}: {name} is missing")
    for name, member in value.items():
        _check(in_body[name], member, f"{where}.{name}")


def _check_text(shape: Shape, value: str, where: str) -> None:
    if shape.enum and value not in shape.enum:
        raise ModelViolation(f"{where}: {value!r} is none of {shape.enum}")
    _check_bounds(shape, len(value), where, f"the length of {value[:80]!r}")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        raise ModelViolation(f"{where}: {value!r} does not match {pattern}")


def _check_bounds(shape: Shape, number: int, where: str, what: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and number < low) or (high is not None and number > high):
        raise ModelViolation(f"{where}: {what} is not from {low} to {high}")
