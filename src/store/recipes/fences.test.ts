import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { MemoryLog } from "../../base/log.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { bytes, failure, value } from "../compliance/expecting.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import { TreeElection } from "./election.ts";
import { formatTerm, parseTerm } from "./fences.ts";
import { Layout } from "./layout.ts";
import { TreeLock } from "./lock.ts";
import { ServiceOwnership } from "./service-ownership.ts";
import { TreePortLeases } from "./tree-port-leases.ts";
import { TreeTopologyStore } from "./tree-topology-store.ts";

const layout = new Layout();
const wanted = { device: "r1", address: "203.0.113.1", firstPort: 1_024, lastPort: 1_087 };

describe("a term that is damaged", () => {
  const log = new MemoryLog();
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  let connection: StoreConnection;
  let term: bigint;

  beforeEach(async () => {
    log.lines.length = 0;
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
    connection = new StoreConnection({ scheduler, log, connect: () => server.connect() });
    const opened = new TreeTopologyStore(connection, layout).open();
    await passTime(scheduler, 1_000);
    value(await opened);
    const read = await during(connection.tree.get(layout.term));
    term = parseTerm(value(read).data) ?? 0n;
    assert.ok(term > 0n);
    await write(bytes("abc"));
  });
  afterEach(() => server.stop());

  const during = async <T>(outcome: Promise<T>, span = 1_000): Promise<T> => {
    await passTime(scheduler, span);
    return outcome;
  };
  const write = async (data: Uint8Array): Promise<void> =>
    void value(await during(connection.tree.set(layout.term, data)));
  const events = (): readonly string[] => log.lines.map(({ event }) => event);

  test("elects nobody and gives nobody a lock or an object; it is logged once, and all go on above the old numbers when it is repaired", async () => {
    const fences: bigint[] = [];
    new TreeElection(connection, layout.election("x")).stand({
      label: "x",
      onElected: (fence) => void fences.push(fence),
      onDeposed: () => undefined,
    });
    const owner = new ServiceOwnership(connection, {
      ...{ folder: layout.owners("x"), label: "x" },
      onOwned: (_, fence) => void fences.push(fence),
      onLost: () => undefined,
    });
    owner.claim("1");
    const lock = new TreeLock(connection, layout.lock("x"));
    const refused = lock.acquire({ label: "x", waitMs: 5_000 });
    assert.equal(failure(await during(refused, 6_000)).kind, "timed-out");
    assert.deepEqual([fences, events()], [[], ["store.term-damaged"]]);
    await write(formatTerm(term + 1n));
    const held = value(await during(lock.acquire({ label: "x", waitMs: 5_000 }), 6_000));
    for (const fence of [...fences, held.fence]) assert.ok(fence >> 64n === term + 1n);
    assert.equal(fences.length, 2);
    assert.deepEqual(events(), ["store.term-damaged", "store.term-sound"]);
  });

  test("leases no ports, says why, and keeps nobody from the block", async () => {
    const leases = new TreePortLeases({ connection, label: "x", listener: { onLost: () => undefined }, seed: 1 });
    const refused = failure(await during(leases.take(wanted), 3_000));
    assert.match(JSON.stringify(refused), /store-unavailable.*\/weft\/term: it holds no term/);
    await write(formatTerm(term));
    assert.equal(value(await during(leases.take(wanted), 3_000)).fence >> 64n, term);
  });

  test("leaves a lease alone that was given before it, and has it again after a lost session once it is repaired", async () => {
    await write(formatTerm(term));
    let losses = 0;
    const leases = new TreePortLeases({ connection, label: "x", listener: { onLost: () => losses++ }, seed: 1 });
    const lease = value(await during(leases.take(wanted), 3_000));
    await write(bytes(""));
    assert.ok(lease.isUsable());
    server.expireSession(connection.tree.session.id);
    await passTime(scheduler, 10_000);
    assert.deepEqual([lease.isUsable(), losses], [false, 0]);
    await write(formatTerm(term));
    await passTime(scheduler, 10_000);
    assert.deepEqual([lease.isUsable(), losses], [true, 0]);
  });
});
