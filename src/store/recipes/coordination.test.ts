import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { value } from "../compliance/expecting.ts";
import { type FaultyProcess, FaultyWorld, worldSessionMs } from "../compliance/faulty-world.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { leaseIdleMs, leaseSweepMs } from "../limits.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import { TreeElection } from "./election.ts";
import { Layout } from "./layout.ts";
import { TreeLock } from "./lock.ts";
import type { PortLease } from "./port-lease.ts";
import { ServiceOwnership } from "./service-ownership.ts";
import { TreePortLeases } from "./tree-port-leases.ts";

const layout = new Layout();
const wholeBlock = { device: "r1", address: "203.0.113.1", firstPort: 1_024, lastPort: 1_087 };

/** Somebody who wants the one thing there is, and what it was told. */
interface Claimant {
  /** The number under which it may act now; undefined when it may not. */
  fence(): bigint | undefined;
  /** How often it was told that it had lost the thing. */
  losses(): number;
}

/** Everything that one process at a time may have, and how it is wanted. */
const things: Readonly<Record<string, (process: FaultyProcess) => Claimant>> = {
  lock({ connection }) {
    let losses = 0;
    const request = { label: "x", waitMs: 1e6, onLost: () => losses++ };
    const outcome = new TreeLock(connection, layout.lock("x")).acquire(request);
    const held = resolved(outcome);
    return {
      fence: () => {
        const lock = held();
        return lock?.ok === true && lock.value.isHeld() ? lock.value.fence : undefined;
      },
      losses: () => losses,
    };
  },
  leadership({ connection }) {
    let [fence, losses] = [0n, 0];
    const candidacy = new TreeElection(connection, layout.election("x")).stand({
      label: "x",
      onElected: (number) => {
        fence = number;
      },
      onDeposed: () => losses++,
    });
    return { fence: () => (candidacy.isLeader() ? fence : undefined), losses: () => losses };
  },
  ownership({ connection }) {
    let [fence, losses] = [0n, 0];
    const ownership = new ServiceOwnership(connection, {
      ...{ folder: layout.owners("x"), label: "x" },
      onOwned: (_, number) => {
        fence = number;
      },
      onLost: () => losses++,
    });
    ownership.claim("1");
    return { fence: () => (ownership.isOwned("1") ? fence : undefined), losses: () => losses };
  },
  lease({ connection }) {
    let losses = 0;
    const listener = { onLost: () => losses++ };
    const leases = new TreePortLeases({ connection, label: "x", listener, seed: 1 });
    const wanting = async (): Promise<void> => {
      while (!(await leases.take(wholeBlock)).ok) await connection.tree.sync("/");
    };
    void wanting();
    return { fence: () => leases.held().find((lease) => lease.isUsable())?.fence, losses: () => losses };
  },
};

/** Accepts what comes under a number that is not lower than any before. */
class FencedResource {
  readonly accepted: string[] = [];
  #highest = -1n;

  write(text: string, fence: bigint): boolean {
    if (fence < this.#highest) return false;
    this.#highest = fence;
    this.accepted.push(text);
    return true;
  }
}

describe("what one process at a time may have", () => {
  for (const [name, want] of Object.entries(things)) {
    test(`who stands still for longer than its session has it no more, before it hears of anything: ${name}`, async () => {
      const world = new FaultyWorld(1, 2);
      const [one, two] = world.processes as [FaultyProcess, FaultyProcess];
      const first = want(one);
      await world.pass(1_000);
      const firstFence = first.fence();
      assert.ok(firstFence !== undefined);
      const second = want(two);
      await world.pass(1_000);
      const resource = new FencedResource();
      // It has asked, and will act when it wakes: what it asked for is true no more by then.
      one.befall("pause");
      world.observe = () => assert.ok(first.fence() === undefined || second.fence() === undefined, "two have it");
      await world.pass(3 * worldSessionMs);
      const secondFence = second.fence();
      assert.ok(secondFence !== undefined && secondFence > firstFence);
      assert.equal(first.fence(), undefined);
      assert.equal(first.losses(), 0);
      assert.equal(resource.write("second", secondFence), true);
      assert.equal(resource.write("first", firstFence), false);
      one.befall("wake");
      await world.pass(1_000);
      assert.equal(first.losses(), 1);
      assert.equal(second.fence(), secondFence);
      assert.deepEqual(resource.accepted, ["second"]);
      world.stop();
    });

    test(`who is cut off says so before another can have it, and nothing new comes meanwhile: ${name}`, async () => {
      const world = new FaultyWorld(2, 2);
      const [one, two] = world.processes as [FaultyProcess, FaultyProcess];
      const first = want(one);
      await world.pass(1_000);
      assert.ok(first.fence() !== undefined);
      const second = want(two);
      one.befall("isolate");
      const cutAt = world.scheduler.clock.now();
      let [endedAt, passedAt] = [0, 0];
      world.observe = () => {
        const now = world.scheduler.clock.now();
        if (first.fence() === undefined) endedAt ||= now;
        if (second.fence() !== undefined) passedAt ||= now;
      };
      await world.pass(3 * worldSessionMs);
      assert.ok(endedAt > cutAt && endedAt < cutAt + worldSessionMs);
      assert.ok(passedAt >= cutAt + worldSessionMs);
      assert.equal(first.fence(), undefined);
      world.stop();
    });

    test(`a connection that is back in time costs nothing: ${name}`, async () => {
      const world = new FaultyWorld(3, 1);
      const [one] = world.processes as [FaultyProcess];
      const first = want(one);
      await world.pass(1_000);
      const fence = first.fence();
      assert.ok(fence !== undefined);
      world.observe = () => assert.equal(first.fence(), fence);
      one.befall("isolate");
      await world.pass(worldSessionMs / 8);
      one.befall("rejoin");
      await world.pass(10 * worldSessionMs);
      assert.deepEqual([first.fence(), first.losses()], [fence, 0]);
      world.stop();
    });
  }
});

describe("a process that takes up the session of the one before it", () => {
  test("takes away the places that the other left in queues, and has its port blocks again under their numbers", async () => {
    const scheduler = new VirtualScheduler();
    const server = new MemoryTreeServer({ scheduler });
    const old = server.connect();
    const before = new StoreConnection({ scheduler, connect: () => old });
    for (let i = 0; i < 3; i++) void new TreeLock(before, layout.lock("x")).acquire({ label: "old", waitMs: 1e6 });
    const leases = new TreePortLeases({
      connection: before,
      label: "h",
      listener: { onLost: () => assert.fail() },
      seed: 1,
    });
    const lease = taken(leases.take(wholeBlock));
    await passTime(scheduler, 1_000);
    const { fence, turn } = lease();
    const { id, password } = old.session;
    server.isolate(old);
    const resume = { id, password };
    const after = new StoreConnection({ scheduler, connect: () => server.connect({ resume }) });
    const lock = resolved(new TreeLock(after, layout.lock("x")).acquire({ label: "new", waitMs: 5_000 }));
    const restarted = new TreePortLeases({
      connection: after,
      label: "h",
      listener: { onLost: () => assert.fail() },
      seed: 2,
    });
    const again = taken(restarted.retake({ device: "r1", address: wholeBlock.address, block: 16, turn }));
    await passTime(scheduler, 1_000);
    assert.equal(lock()?.ok, true);
    assert.deepEqual([again().fence, again().turn, again().isUsable()], [fence, turn, true]);
    server.stop();
  });
});

describe("ownership in time", () => {
  test("what is released and claimed again at once is never had under the number that is being given up", async () => {
    const world = new FaultyWorld(6, 1);
    const [{ connection }] = world.processes as [FaultyProcess];
    const fences: bigint[] = [];
    const ownership = new ServiceOwnership(connection, {
      ...{ folder: layout.owners("x"), label: "x" },
      onOwned: (_, fence) => void fences.push(fence),
      onLost: () => assert.fail("nothing was lost"),
    });
    for (let round = 0; round < 5; round++) {
      ownership.claim("1");
      await world.pass(1_000);
      assert.equal(ownership.isOwned("1"), true);
      void ownership.release("1");
    }
    assert.equal(new Set(fences).size, 5);
    world.stop();
  });
});

describe("port leases in time", () => {
  test("a block without bindings for five minutes goes back; a binding keeps it", async () => {
    const { world, leases } = oneHost();
    const wanted = { ...wholeBlock, lastPort: wholeBlock.lastPort + 64 };
    const [idle, used] = [taken(leases.take(wanted)), taken(leases.take(wanted))];
    await world.pass(1_000);
    used().addBinding();
    await world.pass(leaseIdleMs - leaseSweepMs);
    assert.deepEqual([idle().isUsable(), used().isUsable()], [true, true]);
    await world.pass(2 * leaseSweepMs);
    assert.deepEqual([idle().isUsable(), used().isUsable()], [false, true]);
    used().removeBinding();
    await world.pass(leaseIdleMs - leaseSweepMs);
    assert.equal(used().isUsable(), true);
    await world.pass(2 * leaseSweepMs);
    assert.deepEqual(leases.held(), []);
    for (const { block } of [idle(), used()]) assert.equal(takenIn(world, block), false);
    world.stop();
  });

  test("a block that nobody else had is usable again when the session was lost, and its bindings are not told", async () => {
    const { world, leases, lost } = oneHost();
    const lease = taken(leases.take(wholeBlock));
    await world.pass(1_000);
    const { fence } = lease();
    for (let round = 0; round < 3; round++) {
      world.processes[0]?.befall("isolate");
      await world.pass(3 * worldSessionMs);
      assert.equal(lease().isUsable(), false);
      await world.settle(2_000);
      assert.equal(lease().isUsable(), true);
    }
    assert.ok(lease().fence > fence);
    assert.deepEqual(lost, []);
    world.stop();
  });

  test("a block that is given back while the store is away is free when the store is back", async () => {
    const { world, leases } = oneHost();
    const lease = taken(leases.take(wholeBlock));
    await world.pass(1_000);
    world.processes[0]?.befall("applied");
    void lease().release();
    assert.equal(lease().isUsable(), false);
    await world.settle(2 * worldSessionMs);
    assert.equal(takenIn(world, 16), false);
    const again = taken(leases.take(wholeBlock));
    await world.pass(1_000);
    assert.equal(again().isUsable(), true);
    world.stop();
  });
});

function oneHost(): { readonly world: FaultyWorld; readonly leases: TreePortLeases; readonly lost: PortLease[] } {
  const world = new FaultyWorld(4, 1);
  const [{ connection }] = world.processes as [FaultyProcess];
  const lost: PortLease[] = [];
  const listener = { onLost: (lease: PortLease) => void lost.push(lease) };
  return { world, leases: new TreePortLeases({ connection, label: "h1", listener, seed: 1 }), lost };
}

function takenIn({ server }: FaultyWorld, block: number): boolean {
  const found = server.tree.exists(`${layout.portBlocks(wholeBlock.device, wholeBlock.address)}/${block}/taken`);
  return value(found) !== undefined;
}

/** The lease that a call came to. */
function taken(call: ReturnType<TreePortLeases["take"]>): () => PortLease {
  const result = resolved(call);
  return () => {
    const found = result();
    assert.ok(found !== undefined, "no answer yet");
    return value(found);
  };
}

/** What a promise came to, so far. */
function resolved<T>(promise: Promise<T>): () => T | undefined {
  let found: T | undefined;
  void promise.then((result) => {
    found = result;
  });
  return () => found;
}
