import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksPerAddress, portsPerBlock } from "../limits.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { Layout } from "../recipes/layout.ts";
import type { PortBlockRequest, PortLease } from "../recipes/port-lease.ts";
import { TreePortLeases } from "../recipes/tree-port-leases.ts";
import { failure, value, Waiting } from "./expecting.ts";
import type { RecipeBench } from "./recipe-suite.ts";

interface Host {
  readonly connection: StoreConnection;
  readonly leases: TreePortLeases;
  readonly lost: PortLease[];
  readonly waiting: Waiting;
}

let seeds = 0;

/** What port leases promise, over a tree of any driver. */
export function leaseTests(bench: RecipeBench): void {
  const host = async (layout: Layout): Promise<Host> => {
    const connection = await bench.connection();
    const [lost, waiting]: [PortLease[], Waiting] = [[], new Waiting()];
    const onLost = (lease: PortLease): void => {
      lost.push(lease);
      waiting.wake();
    };
    seeds += 1;
    const options = { connection, layout, label: `h${seeds}`, listener: { onLost }, seed: seeds };
    return { connection, leases: new TreePortLeases(options), lost, waiting };
  };
  /** Ports of `blocks` blocks, from the 17th on. */
  const ports = (blocks: number): PortBlockRequest => {
    const firstPort = 1_024;
    return { device: "r1", address: "203.0.113.1", firstPort, lastPort: firstPort + blocks * portsPerBlock - 1 };
  };
  const freshLayout = (): Layout => new Layout(bench.freshRoot());
  const closeAll = (...hosts: readonly Host[]): Promise<unknown> =>
    Promise.all(hosts.map(({ leases }) => leases.close()));

  test("port leases: no block is leased twice, all of a range are leased, then there is none", async () => {
    const layout = freshLayout();
    const hosts = [await host(layout), await host(layout)] as const;
    const taken = await Promise.all(
      hosts.flatMap(({ leases }) => Array.from({ length: 6 }, () => leases.take(ports(12)))),
    );
    const leases = taken.map((result) => value(result));
    assert.deepEqual(
      leases.map(({ block }) => block).sort((a, b) => a - b),
      [...range(16, 28)],
    );
    assert.ok(leases.every((lease) => lease.isUsable() && lease.lastPort - lease.firstPort === 63));
    const { device, address } = ports(12);
    assert.deepEqual(failure(await hosts[0].leases.take(ports(12))), { kind: "no-free-block", device, address });
    value(await hosts[0].leases.take({ ...ports(12), address: "203.0.113.2" }));
    await closeAll(...hosts);
    assert.equal(leases[0]?.isUsable(), false);
  });

  test("port leases: blocks never leased come first, then the one whose lease ended longest ago", async () => {
    const layout = freshLayout();
    const [one, two] = [await host(layout), await host(layout)];
    const leases: PortLease[] = [];
    for (let i = 0; i < 3; i++) leases.push(value(await one.leases.take(ports(4))));
    const order = [1, 0, 2].map((i) => leases[i] as PortLease);
    for (const lease of order) await lease.release();
    const fences: bigint[] = [];
    const blocks: number[] = [];
    await bench.syncAll();
    for (let i = 0; i < 4; i++) {
      const lease = value(await two.leases.take(ports(4)));
      fences.push(lease.fence);
      blocks.push(lease.block);
      await bench.syncAll();
    }
    assert.deepEqual(
      blocks.slice(1),
      order.map(({ block }) => block),
    );
    assert.ok(!order.some(({ block }) => block === blocks[0]));
    assert.ok(fences.every((fence) => leases.every((old) => old.fence < fence)));
    await closeAll(one, two);
  });

  test("port leases: the blocks of a whole address can be leased and given back", async () => {
    const { leases } = await host(freshLayout());
    const whole = { device: "r1", address: "203.0.113.1", firstPort: 0, lastPort: 65_535 };
    const taken = await Promise.all(Array.from({ length: 8 }, () => leases.take(whole)));
    assert.ok(taken.every((result) => value(result).block < blocksPerAddress));
    assert.equal(failure(await leases.take({ ...whole, firstPort: 70_000, lastPort: 80_000 })).kind, "no-free-block");
    await leases.close();
    assert.equal(failure(await leases.take(whole)).kind, "store-unavailable");
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`port leases: a block whose reply is lost is leased once and given back once: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const layout = freshLayout();
      const [one, two] = [await host(layout), await host(layout)];
      value(await one.leases.take(ports(2)));
      await loseNext(one.connection.tree, fate);
      const second = await one.leases.take(ports(2));
      assert.equal(failure(await two.leases.take(ports(2))).kind, "no-free-block");
      await loseNext(one.connection.tree, fate);
      await value(second).release();
      await bench.syncAll();
      assert.equal(value(await two.leases.take(ports(2))).block, value(second).block);
      await closeAll(one, two);
    });
  }

  test("port leases: after the session expired a block is taken again under a new number", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const { leases, connection, lost, waiting } = await host(freshLayout());
    const lease = value(await leases.take(ports(1)));
    const { fence, turn } = lease;
    await expire(connection.tree);
    await connection.untilConnected(30_000);
    while (!lease.isUsable()) await connection.tree.sync("/");
    assert.ok(lease.fence > fence);
    assert.equal(lease.turn, turn + 1);
    assert.deepEqual(lost, []);
    await waiting.until(() => true);
    await leases.close();
  });

  test("port leases: a noted block is taken again, unless somebody had it between", async () => {
    const layout = freshLayout();
    const [one, two] = [await host(layout), await host(layout)];
    const { device, address, block, turn } = value(await one.leases.take(ports(1)));
    const noted = { device, address, block, turn };
    await one.connection.close();
    await one.leases.close();
    const restarted = await host(layout);
    const again = value(await restarted.leases.retake(noted));
    assert.equal(again.block, block);
    await again.release();
    await bench.syncAll();
    await value(await two.leases.take(ports(1))).release();
    await bench.syncAll();
    assert.equal(failure(await restarted.leases.retake({ ...noted, turn: again.turn })).kind, "block-lost");
    await closeAll(two, restarted);
  });
}

function* range(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}
