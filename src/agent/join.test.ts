import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { formatHostAlive } from "../api-schema/agent-api.ts";
import { MemoryLog } from "../base/log.ts";
import type { Result } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { joinCloud } from "./join.ts";
import type { Refusal } from "./refusal.ts";

const HOST = "00000000-0000-8000-8000-000000000001";

describe("joining the cloud", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
  });

  afterEach(() => server.stop());

  /** An agent's way to the store, and its attempt to join. */
  function agent(
    name: string,
    hostName = "h1",
  ): { readonly connection: StoreConnection; join(): Promise<Result<void, Refusal>> } {
    const connection = new StoreConnection({ scheduler, connect: () => server.connect() });
    const layout = new Layout();
    const join = async (): Promise<Result<void, Refusal>> => {
      const joined = joinCloud({
        topology: new TreeTopologyStore(connection, layout),
        stateKeys: new TreeStateKeys(connection, layout),
        ...{ hostId: HOST, hostName, alive: name, scheduler, patienceMs: 5_000, log: new MemoryLog() },
      });
      await passTime(scheduler, 10_000);
      return joined;
    };
    return { connection, join };
  }

  it("makes the host known, and takes its id", async () => {
    const { connection, join } = agent("first");
    assert.deepEqual(await join(), { ok: true, value: undefined });
    const read = new TreeTopologyStore(connection, new Layout()).get("host", HOST);
    await passTime(scheduler, 100);
    const host = await read;
    assert.ok(host.ok && host.value?.object.name === "h1");
  });

  it("refuses a second agent, and says who has the id", async () => {
    await agent(formatHostAlive({ address: "unix:/run/weft/agent.sock", release: "1" })).join();
    const second = await agent("second").join();
    assert.ok(!second.ok);
    assert.match(
      second.error.why,
      new RegExp(
        `^host id ${HOST} is in use by another agent \\(at unix:/run/weft/agent\\.sock, session 0x[0-9a-f]+\\): `,
      ),
    );
    assert.doesNotMatch(second.error.why, /[{}]/);
  });

  it("says in a sentence what the store has against the host", async () => {
    const refused = await agent("first", "").join();
    assert.match(
      refused.ok ? "" : refused.error.why,
      /field name: bad-value, expected .*: correct --host-name or --host-id$/,
    );
    assert.doesNotMatch(refused.ok ? "" : refused.error.why, /[{}]/);
  });

  it("takes the id over when the agent that had it goes while it waits", async () => {
    const first = agent("first");
    await first.join();
    const second = agent("second").join();
    void first.connection.close();
    await passTime(scheduler, 1_000);
    assert.deepEqual(await second, { ok: true, value: undefined });
  });
});
