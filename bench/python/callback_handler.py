"""The callback handler's contract as one would write it in Python: an HTTP server, boto3, DynamoDB.

Validate, store the result under its token unless it is there, deliver to the durable execution, note that, update
the workflow's record, append to the history. What `workflows` does, without retries, signatures and dead letters.

Usage: callback_handler.py DYNAMODB_URL LAMBDA_URL; prints its own address.
"""

import hashlib
import json
import sys
import time
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

DYNAMODB_URL, LAMBDA_URL = sys.argv[1:3]
TABLE = "workflows"
SETTINGS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
    "config": Config(max_pool_connections=64),
}
dynamodb = boto3.client("dynamodb", endpoint_url=DYNAMODB_URL, **SETTINGS)
service = boto3.client("lambda", endpoint_url=LAMBDA_URL, **SETTINGS)


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def item(**fields):
    return {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in fields.items()}


def validated(body):
    message = json.loads(body)
    token, status = message.get("token"), message.get("status")
    if not isinstance(token, str) or not 1 <= len(token) <= 1024:
        raise ValueError("token: expected 1 to 1024 characters")
    if status not in ("SUCCESS", "FAILURE", "HEARTBEAT"):
        raise ValueError("status: expected SUCCESS, FAILURE or HEARTBEAT")
    if status == "SUCCESS" and "result" not in message:
        raise ValueError("result: is required")
    if status == "FAILURE" and not isinstance(message.get("error"), (str, dict)):
        raise ValueError("error: is required")
    return message


def deliver(message):
    token, status = message["token"], message["status"]
    if status == "HEARTBEAT":
        service.send_durable_execution_callback_heartbeat(CallbackId=token)
    elif status == "SUCCESS":
        service.send_durable_execution_callback_success(CallbackId=token, Result=json.dumps(message["result"]))
    else:
        error = message["error"]
        error = error if isinstance(error, dict) else {"type": "AgentFailure", "message": error}
        error = {"ErrorType": error["type"], "ErrorMessage": error["message"]}
        service.send_durable_execution_callback_failure(CallbackId=token, Error=error)


def handle(body):
    message = validated(body)
    token, status = message["token"], message["status"]
    if status == "HEARTBEAT":
        deliver(message)
        return 200, {"status": "heartbeat_recorded", "token": token, "timestamp": now()}

    outcome = json.dumps(message.get("result", message.get("error")), sort_keys=True)
    digest = hashlib.sha256((status + outcome).encode()).hexdigest()
    key = "TOKEN#" + hashlib.sha256(token.encode()).hexdigest()
    expires_at = int(time.time()) + 14 * 24 * 3600
    try:
        stored = item(pk=key, sk="RESULT", outcome=outcome, digest=digest, delivery="pending", expires_at=expires_at)
        dynamodb.put_item(TableName=TABLE, Item=stored, ConditionExpression="attribute_not_exists(pk)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        found = dynamodb.get_item(TableName=TABLE, Key=item(pk=key, sk="RESULT"), ConsistentRead=True)["Item"]
        if found["digest"]["S"] != digest:
            return 409, {"error": "token: a different outcome was delivered before, and it stands"}
        if found["delivery"]["S"] == "delivered":
            return 200, {"status": "already_delivered", "token": token, "timestamp": now()}

    deliver(message)
    dynamodb.update_item(
        TableName=TABLE,
        Key=item(pk=key, sk="RESULT"),
        UpdateExpression="SET delivery = :delivered",
        ExpressionAttributeValues={":delivered": {"S": "delivered"}},
    )
    route = dynamodb.get_item(TableName=TABLE, Key=item(pk=key, sk="ROUTE")).get("Item")
    workflow = route["workflow_id"]["S"] if route else "unknown"
    if route:
        dynamodb.update_item(
            TableName=TABLE,
            Key=item(pk=f"WORKFLOW#{workflow}", sk="RECORD"),
            UpdateExpression="SET #status = :running, updated_at = :now",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":running": {"S": "RUNNING"}, ":now": {"S": now()}},
        )
    entry = item(pk=f"WORKFLOW#{workflow}", sk=f"HISTORY#{now()}#{uuid.uuid4()}", status=status, answer="delivered")
    dynamodb.put_item(TableName=TABLE, Item=entry)
    return 200, {"status": "callback_delivered", "token": token, "timestamp": now()}


def register(body):
    """Sets the stage: who waits for each token."""
    for token in json.loads(body):
        key = "TOKEN#" + hashlib.sha256(token.encode()).hexdigest()
        workflow = hashlib.md5(token.encode()).hexdigest()
        dynamodb.put_item(TableName=TABLE, Item=item(pk=key, sk="ROUTE", workflow_id=workflow))
        dynamodb.put_item(TableName=TABLE, Item=item(pk=f"WORKFLOW#{workflow}", sk="RECORD", status="PENDING"))
    return 200, {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise every answer waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer = register(body) if self.path == "/register" else handle(body)
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        except Exception as error:  # noqa: BLE001
            print(error, file=sys.stderr)
            status, answer = 500, {"error": "Failed to store callback result"}
        answer = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


dynamodb.create_table(
    TableName=TABLE,
    BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
