import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { Questions } from "./questions.ts";

type Answer = Extract<FromWorker, { readonly kind: "flows" }>;

describe("questions to the workers", () => {
  let scheduler: VirtualScheduler;
  let sent: ToWorker[];
  let questions: Questions;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    sent = [];
    questions = new Questions({ scheduler, workers: 2, send: (messages) => void sent.push(...messages) });
  });

  /** A worker's answer to the question that was sent as the `n`th. */
  function answerTo(n: number, total: number): Answer {
    const asked = sent[n];
    assert.ok(asked?.kind === "ask-flows");
    return { kind: "flows", request: asked.request, flows: [], total };
  }

  it("are answered when every worker has answered, each question for itself", async () => {
    const first = questions.ask({ kind: "ask-flows", limit: 1 });
    const second = questions.ask({ kind: "ask-flows", limit: 1 });
    questions.answer(answerTo(1, 30));
    questions.answer(answerTo(0, 10));
    questions.answer(answerTo(0, 20));
    questions.answer(answerTo(1, 40));
    const totals = (await Promise.all([first, second])).map((result) =>
      result.ok ? result.value.map((answer) => (answer.kind === "flows" ? answer.total : -1)) : result.error,
    );
    assert.deepEqual(totals, [
      [10, 20],
      [30, 40],
    ]);
  });

  it("end without an answer when a worker is silent for too long; its late answer is forgotten", async () => {
    const asked = questions.ask({ kind: "ask-flows", limit: 1 });
    questions.answer(answerTo(0, 10));
    await passTime(scheduler, 3_000);
    assert.deepEqual(await asked, { ok: false, error: "no-answer-in-time" });
    questions.answer(answerTo(0, 20));
  });

  it("are refused when too many wait, and taken again when those are over", async () => {
    const waiting = Array.from({ length: 64 }, () => questions.ask({ kind: "ask-flows", limit: 1 }));
    assert.deepEqual(await questions.ask({ kind: "ask-flows", limit: 1 }), { ok: false, error: "too-many-questions" });
    assert.equal(sent.length, 64);
    await passTime(scheduler, 3_000);
    await Promise.all(waiting);
    void questions.ask({ kind: "ask-flows", limit: 1 });
    assert.equal(sent.length, 65);
  });
});
