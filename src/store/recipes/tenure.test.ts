import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Scheduler, sleep, VirtualScheduler } from "../../base/scheduler.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import type { Tree } from "../tree.ts";
import { StoreConnection } from "./connection.ts";
import { Tenure } from "./tenure.ts";

const timeoutMs = 10_000;

/** A tenure over a tree whose answers to `sync` come late. */
function tenureWithLateAnswers(lateMs: number): {
  readonly scheduler: VirtualScheduler;
  readonly connection: StoreConnection;
  readonly tenure: Tenure;
  readonly sentAt: readonly number[];
} {
  const scheduler = new VirtualScheduler();
  const server = new MemoryTreeServer({ scheduler });
  const sentAt: number[] = [];
  const connect = (): Tree => late(server.connect({ timeoutMs }), { scheduler, lateMs, sentAt });
  const connection = new StoreConnection({ scheduler, connect });
  return { scheduler, connection, tenure: Tenure.of(connection), sentAt };
}

function late(
  tree: Tree,
  { scheduler, lateMs, sentAt }: { readonly scheduler: Scheduler; readonly lateMs: number; readonly sentAt: number[] },
): Tree {
  const sync = async (path: string): ReturnType<Tree["sync"]> => {
    sentAt.push(scheduler.clock.now());
    const answer = await tree.sync(path);
    await sleep(scheduler, lateMs);
    return answer;
  };
  return new Proxy(tree, {
    get: (target, name) => {
      if (name === "sync") return sync;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

describe("a tenure", () => {
  test("counts from before the renewal was sent: an answer proves less the later it comes", async () => {
    for (const lateMs of [0, 1_000, 5_000]) {
      const { scheduler, connection, tenure, sentAt } = tenureWithLateAnswers(lateMs);
      tenure.need();
      await passTime(scheduler, lateMs + 1);
      assert.equal(tenure.deadline, (sentAt[0] ?? 0) + 0.75 * timeoutMs - 1_000);
      assert.equal(tenure.isProven(connection.tree), true);
    }
    const { scheduler, connection, tenure } = tenureWithLateAnswers(7_000);
    tenure.need();
    await passTime(scheduler, 60_000);
    assert.equal(tenure.isProven(connection.tree), false);
  });

  test("asks only while somebody needs it, and five times a session time-out", async () => {
    const { scheduler, tenure, sentAt } = tenureWithLateAnswers(0);
    await passTime(scheduler, timeoutMs);
    assert.equal(sentAt.length, 0);
    const [one, two] = [tenure.need(), tenure.need()];
    await passTime(scheduler, timeoutMs - 1);
    assert.equal(sentAt.length, 5);
    one();
    one();
    await passTime(scheduler, timeoutMs);
    assert.equal(sentAt.length, 10);
    two();
    await passTime(scheduler, timeoutMs);
    assert.equal(sentAt.length, 10);
    assert.equal(scheduler.nextAt(), undefined);
  });

  test("ends with the call that closes the connection", async () => {
    const { scheduler, connection, tenure } = tenureWithLateAnswers(0);
    tenure.need();
    await passTime(scheduler, 1);
    const { tree } = connection;
    assert.equal(tenure.isProven(tree), true);
    const closing = connection.close();
    assert.equal(tenure.isProven(tree), false);
    assert.equal(tenure.deadline, Number.NEGATIVE_INFINITY);
    assert.equal(await tenure.untilProven(tree, 1_000), false);
    await passTime(scheduler, 1);
    await closing;
    assert.equal(scheduler.nextAt(), undefined);
  });
});
