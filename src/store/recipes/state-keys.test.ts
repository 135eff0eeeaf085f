import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Prng } from "../../base/prng.ts";
import { systemScheduler, VirtualScheduler } from "../../base/scheduler.ts";
import { text, value } from "../compliance/expecting.ts";
import { Interposition } from "../compliance/interposed.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import { Layout } from "./layout.ts";
import type { StateKey } from "./state-keys.ts";
import { TreeStateKeys } from "./tree-state-keys.ts";

const layout = new Layout();
const key: StateKey = { kind: "host", id: "h1", name: "alive" };
const path = layout.state("host", "alive", "h1");

/** Somebody who claims the key, and what it believes: the text that stands in the store as long as nobody told it otherwise. */
class Claimant {
  readonly connection: StoreConnection;
  readonly keys: TreeStateKeys;
  believes: string | undefined;
  /** The key as a watcher sees it. */
  seen: string | undefined;
  #claims = 0;

  constructor(server: MemoryTreeServer) {
    this.connection = new StoreConnection({
      scheduler: server.scheduler,
      connect: () => server.connect({ timeoutMs: 4_000 }),
    });
    this.keys = new TreeStateKeys(this.connection, layout);
    this.keys.watch(
      { kind: "host" },
      {
        onLoaded: (values) => {
          this.seen = values[0]?.[1].text;
        },
        onChange: (_, value) => {
          this.seen = value?.text;
        },
      },
    );
  }

  async claim(value: string, writer: "first" | "last"): Promise<void> {
    this.#claims += 1;
    const claim = this.#claims;
    const lose = (): void => {
      if (claim === this.#claims) this.believes = undefined;
    };
    this.believes = value;
    const outcome = await this.keys.set(key, value, { writer, onLost: lose });
    if (!outcome.ok && outcome.error.kind === "held") lose();
  }

  clear(): void {
    this.#claims += 1;
    this.believes = undefined;
    void this.keys.clear(key);
  }

  tree(): MemoryTree {
    assert.ok(this.connection.tree instanceof MemoryTree);
    return this.connection.tree;
  }
}

const turns = fc.array(
  fc.record({
    by: fc.nat({ max: 2 }),
    do: fc.constantFrom("first", "last", "clear", "disconnect", "applied", "lost", "expire", "isolate", "rejoin"),
    value: fc.constantFrom("a", "b"),
    pause: fc.constantFrom(0, 0, 10, 60, 5_000),
  }),
  { minLength: 4, maxLength: 30, size: "max" },
);

describe("state keys", () => {
  test("a write that is on its way when the key is taken over is never found in the new owner's node", async () => {
    const scheduler = systemScheduler;
    const server = new MemoryTreeServer({ scheduler });
    const interposition = new Interposition();
    const own = new StoreConnection({ scheduler, connect: () => interposition.over(server.connect()) });
    const other = new StoreConnection({ scheduler, connect: () => server.connect() });
    const [slow, quick] = [new TreeStateKeys(own, layout), new TreeStateKeys(other, layout)];
    for (let round = 0; round < 3; round++) {
      value(await slow.set(key, `old ${round}`, { writer: "last" }));
      interposition.before("set", async () => {
        value(await quick.set(key, `new ${round}`, { writer: "last" }));
      });
      value(await slow.set(key, "late", { writer: "last" }));
      const found = value(await quick.get(key));
      assert.deepEqual([found?.text, found?.owner], ["late", own.tree.session.id]);
    }
    assert.deepEqual(
      interposition.outcomes,
      Array.from({ length: 3 }, () => ({ ok: false, error: { kind: "bad-version", path } })),
    );
    await Promise.all([own.close(), other.close()]);
    server.stop();
  });

  test("under any faults exactly one claimant believes to hold the key, and it does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), turns, async (seed, script) => {
        const scheduler = new VirtualScheduler();
        const prng = new Prng(seed);
        const server = new MemoryTreeServer({ scheduler, delay: () => prng.below(25), seed });
        const claimants = [0, 1, 2].map(() => new Claimant(server));
        for (const turn of script) {
          const who = claimants[turn.by] as Claimant;
          if (turn.do === "first" || turn.do === "last") void who.claim(turn.value, turn.do);
          else if (turn.do === "clear") who.clear();
          else if (turn.do === "disconnect") server.disconnect(who.tree());
          else if (turn.do === "applied" || turn.do === "lost") server.disconnect(who.tree(), turn.do);
          else if (turn.do === "expire") server.expire(who.tree());
          else if (turn.do === "isolate") server.isolate(who.tree());
          else server.rejoin(who.tree());
          await passTime(scheduler, turn.pause);
        }
        for (const who of claimants) server.rejoin(who.tree());
        await passTime(scheduler, 200_000);
        const node = server.tree.get(path);
        const holders = claimants.filter(({ believes }) => believes !== undefined);
        assert.deepEqual(
          holders.map((who) => [who.believes, who.connection.tree.session.id]),
          node.ok ? [[text(node.value.data), node.value.stat.ephemeralOwner]] : [],
        );
        for (const who of claimants) assert.equal(who.seen, node.ok ? text(node.value.data) : undefined);
        server.stop();
      }),
      { numRuns: 200 },
    );
  });
});
