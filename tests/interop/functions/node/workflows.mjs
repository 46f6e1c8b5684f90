// Durable functions written with AWS's JavaScript SDK, as a user would write them.
//
// `scenario` in the input chooses one; `../python/workflows.py` says the same in Python, operation by operation.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import {
  CallbackError,
  ChildContextError,
  InvokeError,
  NestingType,
  StepSemantics,
  withDurableExecution,
  withRetry,
} from "@aws/durable-execution-sdk-js";

const ONE_SECOND = { seconds: 1 };
const NO_RETRY = { retryStrategy: () => ({ shouldRetry: false }) };

/** What the workflows here fail with. */
class Declined extends Error {
  name = "Declined";
}

function attempts(count, semantics = StepSemantics.AtLeastOncePerRetry) {
  const retryStrategy = (error, attempt) =>
    attempt < count ? { shouldRetry: true, delay: ONE_SECOND } : { shouldRetry: false };
  return { retryStrategy, semantics };
}

const caught = (error) => ({ type: error.name, message: error.message });
const seconds = (count) => (count ? { seconds: count } : undefined);

async function rescued(promise, kind) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof kind) return caught(error);
    throw error;
  }
}

const SCENARIOS = {
  async retried(event, context) {
    return context.step(
      "unsteady",
      async (step) => {
        if (step.attempt < 3) throw new Declined(`attempt ${step.attempt}`);
        return { attempts: step.attempt };
      },
      attempts(4),
    );
  },

  async exhausted(event, context) {
    return context.step(
      "hopeless",
      async (step) => {
        throw new Declined(`attempt ${step.attempt}`);
      },
      attempts(2),
    );
  },

  async waiting(event, context) {
    const before = await context.step("before", async () => [event.greeting, 1.5, null, "ü"]);
    context.logger.warn("about to wait");
    await context.wait("pause", { seconds: event.seconds ?? 1 });
    const after = await context.step("after", async () => before.length);
    return { before, after };
  },

  async callback(event, context) {
    const [approval] = await context.createCallback("approval", {
      timeout: seconds(event.timeout),
      heartbeatTimeout: seconds(event.heartbeat),
    });
    await context.step("told", async () => {});
    return rescued(
      approval.then((result) => ({ result })),
      CallbackError,
    );
  },

  async wait_for_callback(event, context) {
    const submit = async (callbackId) => {
      if (event.refuse) throw new Declined("the submitter refuses");
      writeFileSync(event.file, callbackId);
    };
    const config = event.refuse
      ? NO_RETRY
      : { timeout: seconds(event.timeout), heartbeatTimeout: seconds(event.heartbeat) };
    const result = context.waitForCallback("approval", submit, config);
    return rescued(
      result.then((result) => ({ result })),
      CallbackError,
    );
  },

  async child(event, context) {
    return context.runInChildContext("outer", async (outer) => [
      "outer",
      await outer.runInChildContext("inner", async (inner) => {
        await inner.wait("pause", ONE_SECOND);
        return inner.step("step", async () => "inner");
      }),
    ]);
  },

  async failing_child(event, context) {
    const order = (scope) =>
      scope.step(
        "decline",
        async () => {
          throw new Declined("no stock");
        },
        NO_RETRY,
      );
    const errors = [];
    try {
      await context.runInChildContext("caught", order);
    } catch (error) {
      errors.push(caught(error), caught(error.cause));
    }
    await context.wait("pause", ONE_SECOND);
    // As seen by a replay that has only the record of the one before.
    const escaping = context.runInChildContext("escaping", order);
    return event.catch ? [...errors, await rescued(escaping, ChildContextError)] : escaping;
  },

  async mapped(event, context) {
    const batch = await context.map(
      "doubles",
      event.items,
      async (scope, item, index) => {
        const doubled = await scope.step("double", async () => item * 2);
        if (index === 1) await scope.wait("pause", ONE_SECOND);
        return doubled;
      },
      { maxConcurrency: 2 },
    );
    await context.wait("pause", ONE_SECOND);
    return { results: batch.getResults(), reason: batch.completionReason };
  },

  async first_of_parallel(event, context) {
    const slow = async (scope) => {
      await scope.wait("an hour", { hours: 1 });
      return "slow";
    };
    const fast = async (scope) => scope.step("fast", async () => "fast");
    const config = { completionConfig: { minSuccessful: 1 } };
    const batch = await context.parallel("race", [slow, fast], config);
    await context.wait("pause", ONE_SECOND);
    return {
      results: batch.getResults(),
      reason: batch.completionReason,
      statuses: batch.all.map((item) => item.status),
    };
  },

  async tolerant_parallel(event, context) {
    const branch = (number) => async (scope) => {
      if (number === 1) {
        return scope.step(
          "decline",
          async () => {
            throw new Declined("branch 1");
          },
          NO_RETRY,
        );
      }
      await scope.wait("pause", ONE_SECOND);
      return number;
    };
    const config = { completionConfig: { toleratedFailureCount: 1 } };
    const batch = await context.parallel("branches", [branch(0), branch(1), branch(2)], config);
    await context.wait("pause", ONE_SECOND);
    return {
      results: batch.getResults(),
      reason: batch.completionReason,
      errors: batch.getErrors().map(caught),
    };
  },

  async condition(event, context) {
    return context.waitForCondition(
      "polls",
      async (state, check) => ({ polls: state.polls + 1, attempt: check.attempt }),
      {
        initialState: { polls: 0 },
        waitStrategy: (state) =>
          state.polls >= 3 ? { shouldContinue: false } : { shouldContinue: true, delay: ONE_SECOND },
      },
    );
  },

  async invoking(event, context) {
    const returned = [];
    for (const payload of event.payloads) {
      returned.push(await context.invoke("call", event.target, payload));
    }
    await context.wait("pause", ONE_SECOND);
    return returned;
  },

  async invoking_failure(event, context) {
    const call = context.invoke("call", event.target, event.payload);
    return event.catch ? rescued(call, InvokeError) : call;
  },

  async large_child(event, context) {
    const before = await context.runInChildContext("large", async (scope) => {
      const letter = await scope.step("letter", async () => "x");
      return letter.repeat(event.size);
    });
    await context.wait("pause", ONE_SECOND);
    return { length: before.length };
  },

  async large_map(event, context) {
    const batch = await context.map("large", ["a", "b", "c"], async (scope, item) =>
      scope.step("text", async () => item.repeat(event.size)),
    );
    await context.wait("pause", ONE_SECOND);
    return {
      results: batch.getResults().map((text) => [text[0], text.length]),
      reason: batch.completionReason,
    };
  },

  async flat_map(event, context) {
    const batch = await context.map(
      "flat",
      ["a", "b", "c"],
      async (scope, item) => {
        const text = await scope.step("text", async () => item.repeat(event.size));
        await scope.wait("pause", ONE_SECOND);
        return text;
      },
      { nesting: NestingType.FLAT },
    );
    await context.wait("pause", ONE_SECOND);
    return {
      results: batch.getResults().map((text) => [text[0], text.length]),
      reason: batch.completionReason,
    };
  },

  async retried_block(event, context) {
    const block = (scope, attempt) =>
      scope.step(
        "unsteady",
        async () => {
          if (attempt < 2) throw new Declined(`attempt ${attempt}`);
          return attempt;
        },
        NO_RETRY,
      );
    const retryStrategy = () => ({ shouldRetry: true, delay: ONE_SECOND });
    return withRetry(context, "block", block, { retryStrategy });
  },

  /** Only here: the SDK for Python has no combinators. */
  async combined(event, context) {
    const step = (name) => context.step(name, async () => name);
    const pause = (name, duration) => context.wait(name, duration).then(() => name);
    const all = await context.promise.all("all", [step("one"), step("two")]);
    const race = await context.promise.race("race", [pause("long", { hours: 1 }), pause("short", ONE_SECOND)]);
    const failing = context.step(
      "failing",
      async () => {
        throw new Declined("not this one");
      },
      NO_RETRY,
    );
    const any = await context.promise.any("any", [failing, step("three")]);
    await context.wait("pause", ONE_SECOND);
    return { all, race, any };
  },

  async large_result(event) {
    return "x".repeat(event.size);
  },

  async large_state(event, context) {
    let length = 0;
    for (let number = 0; number < event.steps; number++) {
      length += (await context.step(`step-${number}`, async () => "x".repeat(event.size))).length;
    }
    await context.wait("pause", ONE_SECOND);
    return length;
  },

  async crashing(event, context) {
    const before = await context.step("before", async () => "kept");
    const survived = await context.step(
      "crashes",
      async (step) => {
        appendFileSync(event.file, `${step.attempt}\n`);
        if (readFileSync(event.file, "utf8").trim().split("\n").length === 1) {
          // Until the start of an at-least-once step has been sent as well; or until the function's time is over.
          await sleep(1000 * (event.hang ?? 0.5));
          process.exit(7);
        }
        return { attempt: step.attempt };
      },
      attempts(3, event.semantics),
    );
    return { before, ...survived };
  },

  /** A step that says which process it is in, and lasts until a test ends it. */
  async held(event, context) {
    const before = await context.step("before", async () => "kept");
    const held = await context.step("held", async () => {
      writeFileSync(event.file, String(process.pid));
      while (!existsSync(`${event.file}.release`)) await sleep(20);
      return "released";
    });
    return { before, held };
  },

  async failing() {
    throw new Declined("the order was declined");
  },
};

export const handler = withDurableExecution((event, context) => SCENARIOS[event.scenario](event, context));

/** Returns its input, after a step that says where it was. */
export const echo = withDurableExecution((event, context) => context.step("node", async () => event));

export const fail = withDurableExecution(() => SCENARIOS.failing());
