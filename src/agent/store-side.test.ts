import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { err, ok, unwrap } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryLocalJournal } from "../store/memory/memory-local-journal.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { ResumableTree, TreeError } from "../store/tree.ts";
import { encodeSnapshot, type KnownWorld } from "./core/world-snapshot.ts";
import { EXIT_CONFIG } from "./exit.ts";
import { HostMemory } from "./host-memory.ts";
import { CLAIM_SLACK_MS, JOIN_SLACK_MS } from "./limits.ts";
import { StoreSide } from "./store-side.ts";

const HOST = "00000000-0000-8000-8000-000000000001";
const SESSION_MS = 5_000;
const layout = new Layout();
const nothing: KnownWorld = { at: 0, objects: [], actives: [], floods: [], maps: [] };

describe("the store's side of an agent with a snapshot", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  let log: MemoryLog;
  let failures: string[];
  /** What every read of the layout ends with, in place of the layout. */
  let refusal: TreeError | undefined;
  let store: StoreSide;

  beforeEach(async () => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
    log = new MemoryLog();
    failures = [];
    const [journal, snapshots] = [new MemoryLocalJournal(), new MemoryLocalJournal()];
    await snapshots.replace([...encodeSnapshot(nothing, HOST)]);
    const memory = unwrap(HostMemory.of({ hostId: HOST, journal, snapshots, scheduler, log }, journal.content));
    store = new StoreSide({
      ...{ hostId: HOST, hostName: "h1", scheduler, log, memory, sessionTimeoutMs: SESSION_MS },
      connect: () => refusing(server.connect()),
      onFailure: (sentence) => void failures.push(sentence),
    });
  });

  function refusing(tree: ResumableTree): ResumableTree {
    return new Proxy(tree, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name !== "get") return member.bind(target);
        return async (path: string) =>
          path === layout.version && refusal !== undefined ? err(refusal) : target.get(path);
      },
    });
  }

  it("ends at once, as a configuration does, when the store does not take its secret", async () => {
    refusal = { kind: "no-auth", path: layout.version };
    const joined = store.join("alive");
    await passTime(scheduler, 1_000);
    const outcome = await joined;
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.exitCode, EXIT_CONFIG);
    assert.match(outcome.error.why, /^the store does not let us use \/weft\/layout: --store-secret-file /);
  });

  it("begins from the snapshot when the store is there and lets it wait without end, and joins when it may", async () => {
    refusal = { kind: "storage-full", path: layout.version };
    let outcome: unknown;
    void store.join("alive").then((joined) => (outcome = joined));
    const bound = SESSION_MS + CLAIM_SLACK_MS + JOIN_SLACK_MS;
    await passTime(scheduler, bound);
    assert.equal(outcome, undefined);
    await passTime(scheduler, 4_000);
    assert.deepEqual(outcome, ok(undefined));
    assert.equal(store.isAway, false);
    const told: unknown[] = [];
    store.world.watchActive(HOST, (found) => void told.push(found));
    assert.equal(told.length, 1, "what is asked is answered from the snapshot");
    assert.deepEqual(
      log.lines.filter(({ event }) => event === "join.waiting" || event === "store.away").map(({ event }) => event),
      ["join.waiting", "store.away"],
    );
    refusal = undefined;
    await passTime(scheduler, 10_000);
    assert.ok(log.lines.some(({ event }) => event === "store.back"));
    assert.deepEqual(failures, []);
  });
});
