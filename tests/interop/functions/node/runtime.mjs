// Serves one function through Lambda's Runtime API: `node runtime.mjs`, with `_HANDLER` set to `module.export`.
//
// AWS's own client, `aws-lambda-ric`, is a native addon that needs cmake to be built. This one says the same to the
// function and to the Runtime API, for what the functions here use: one invocation at a time.

import { Agent, request } from "node:http";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

// Not `fetch`: it gives up after five minutes, and the next invocation may be hours away.
function call(method, path, body) {
  return new Promise((done, failed) => {
    const sent = request(api + path, { method, agent }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => done({ headers: answer.headers, text: Buffer.concat(chunks).toString() }));
      answer.on("error", failed);
    });
    sent.on("error", failed);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function report(error) {
  const known = error instanceof Error;
  return {
    errorType: known ? error.name : typeof error,
    errorMessage: known ? error.message : String(error),
    trace: known ? (error.stack ?? "").split("\n") : [],
  };
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

async function load() {
  const [module, name] = process.env._HANDLER.split(".");
  try {
    return (await import(pathToFileURL(resolve(`${module}.mjs`))))[name];
  } catch (error) {
    await call("POST", "/init/error", report(error));
    process.exit(1);
  }
}

const handler = await load();
for (;;) {
  const { headers, text } = await call("GET", "/invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(text), contextOf(headers));
    await call("POST", `/invocation/${id}/response`, answer ?? null);
  } catch (error) {
    await call("POST", `/invocation/${id}/error`, report(error));
  }
}
