import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreConnection } from "../recipes/connection.ts";
import { type Candidacy, type Candidate, type Leader, TreeElection } from "../recipes/election.ts";
import { Layout } from "../recipes/layout.ts";
import { type HeldLock, TreeLock } from "../recipes/lock.ts";
import { ServiceOwnership } from "../recipes/service-ownership.ts";
import { failure, value, Waiting } from "./expecting.ts";
import type { RecipeBench } from "./recipe-suite.ts";

const patient = { label: "patient", waitMs: 100_000 };

/** What happened to somebody who takes part, as lines; fencing numbers as they came. */
class Part extends Waiting {
  readonly lines: string[] = [];
  readonly fences: bigint[] = [];

  add(line: string, fence?: bigint): void {
    this.lines.push(line);
    if (fence !== undefined) this.fences.push(fence);
    this.wake();
  }

  /** Resolves when the last line is this one. */
  last(line: string): Promise<void> {
    return this.until(() => this.lines.at(-1) === line);
  }
}

class Voter extends Part implements Candidate {
  readonly label: string;
  readonly candidacy: Candidacy;

  constructor(label: string, election: TreeElection) {
    super();
    this.label = label;
    this.candidacy = election.stand(this);
  }

  onElected(fence: bigint): void {
    this.add("elected", fence);
  }

  onDeposed(): void {
    this.add("deposed");
  }
}

/** What locks, elections and ownership promise, over a tree of any driver. */
export function coordinationTests(bench: RecipeBench): void {
  const lockTest = (name: string, run: (folder: string) => Promise<void>): void => {
    test(`locks: ${name}`, () => run(new Layout(bench.freshRoot()).lock("build")));
  };

  lockTest("waiting requests get the lock in the order in which they came, with growing numbers", async (folder) => {
    const connections = await Promise.all([1, 2, 3].map(() => bench.connection()));
    const order: number[] = [];
    const fences: bigint[] = [];
    const first = value(await new TreeLock(connections[0] as StoreConnection, folder).acquire(patient));
    assert.equal(first.isHeld(), true);
    const waiting: Promise<void>[] = [];
    for (const [i, connection] of connections.entries()) {
      const request = new TreeLock(connection, folder).acquire(patient);
      waiting.push(
        request.then(async (result) => {
          order.push(i);
          fences.push(value(result).fence);
          await value(result).release();
        }),
      );
      await queueLength(connection, folder, i + 2);
    }
    assert.deepEqual(order, []);
    await first.release();
    assert.equal(first.isHeld(), false);
    await Promise.all(waiting);
    assert.deepEqual(order, [0, 1, 2]);
    assert.deepEqual(
      fences,
      [...fences].sort((a, b) => (a < b ? -1 : 1)),
    );
    assert.ok(first.fence < (fences[0] ?? 0n));
  });

  lockTest("a request that waited too long leaves the queue", async (folder) => {
    const [one, two] = [await bench.connection(), await bench.connection()];
    const held = value(await new TreeLock(one, folder).acquire(patient));
    const error = failure(await new TreeLock(two, folder).acquire({ label: "hasty", waitMs: 50 }));
    assert.deepEqual(error, { kind: "timed-out", waitedMs: 50 });
    await queueLength(two, folder, 1);
    await held.release();
  });

  lockTest("who closes its connection holds nothing, and the next one does", async (folder) => {
    const [one, two] = [await bench.connection(), await bench.connection()];
    const held = value(await new TreeLock(one, folder).acquire(patient));
    const next = new TreeLock(two, folder).acquire(patient);
    const closing = one.close();
    assert.equal(held.isHeld(), false);
    await closing;
    await value(await next).release();
    assert.equal(failure(await new TreeLock(one, folder).acquire(patient)).kind, "store-unavailable");
  });

  test("locks: a lock whose session expired is lost, once, and goes to the next", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const folder = new Layout(bench.freshRoot()).lock("build");
    const [one, two] = [await bench.connection(), await bench.connection()];
    const part = new Part();
    const held = value(await new TreeLock(one, folder).acquire({ ...patient, onLost: () => part.add("lost") }));
    const next = new TreeLock(two, folder).acquire(patient);
    await expire(one.tree);
    const second = value(await next);
    await part.last("lost");
    assert.equal(held.isHeld(), false);
    assert.ok(second.fence > held.fence);
    await Promise.all([held.release(), second.release()]);
    assert.deepEqual(part.lines, ["lost"]);
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`locks: a place whose reply is lost is found again or made anew: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const folder = new Layout(bench.freshRoot()).lock("build");
      const connection = await bench.connection();
      const before = value(await new TreeLock(connection, folder).acquire(patient));
      await loseNext(connection.tree, fate);
      const waiting = new TreeLock(connection, folder).acquire(patient);
      await connection.tree.sync("/");
      await queueLength(connection, folder, 2);
      await before.release();
      const held: HeldLock = value(await waiting);
      await queueLength(connection, folder, 1);
      await held.release();
    });
  }

  electionTests(bench);
  ownershipTests(bench);
}

function electionTests(bench: RecipeBench): void {
  test("elections: the first leads, who resigns is followed by the next, and everybody sees it", async () => {
    const folder = new Layout(bench.freshRoot()).election("gateway");
    const [one, two] = [await bench.connection(), await bench.connection()];
    const [a, seen] = [new Voter("a", new TreeElection(one, folder)), new Part()];
    await a.last("elected");
    const b = new Voter("b", new TreeElection(two, folder));
    const leader = (who: Leader | undefined): void => seen.add(who?.label ?? "nobody", who?.fence);
    const watch = new TreeElection(two, folder).watch(leader);
    await seen.last("a");
    assert.deepEqual([a.candidacy.isLeader(), b.candidacy.isLeader()], [true, false]);
    await queueLength(two, folder, 2);
    await a.candidacy.resign();
    assert.equal(a.candidacy.isLeader(), false);
    await b.last("elected");
    await seen.last("b");
    await b.candidacy.resign();
    await seen.last("nobody");
    assert.deepEqual(seen.fences, [...a.fences, ...b.fences]);
    assert.ok((a.fences[0] ?? 0n) < (b.fences[0] ?? 0n));
    assert.deepEqual([a.lines, b.lines], [["elected"], ["elected"]]);
    watch.close();
  });

  test("elections: a leader whose session expired is deposed and stands again behind the others", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const folder = new Layout(bench.freshRoot()).election("gateway");
    const [one, two] = [await bench.connection(), await bench.connection()];
    const a = new Voter("a", new TreeElection(one, folder));
    await a.last("elected");
    const b = new Voter("b", new TreeElection(two, folder));
    await queueLength(two, folder, 2);
    await expire(one.tree);
    await Promise.all([a.last("deposed"), b.last("elected")]);
    await queueLength(two, folder, 2);
    await b.candidacy.resign();
    await a.last("elected");
    assert.deepEqual(a.lines, ["elected", "deposed", "elected"]);
    await a.candidacy.resign();
  });
}

function ownershipTests(bench: RecipeBench): void {
  const open = async (label: string, folder: string) => {
    const connection = await bench.connection();
    const part = new Part();
    const ownership = new ServiceOwnership(connection, {
      ...{ folder, label },
      onOwned: (id, fence) => part.add(`${id} owned`, fence),
      onLost: (id) => part.add(`${id} lost`),
    });
    return { connection, part, ownership };
  };

  test("ownership: the first claimant owns an object, and who claims it too follows when it is released", async () => {
    const folder = new Layout(bench.freshRoot()).owners("vtep");
    const [a, b] = [await open("a", folder), await open("b", folder)];
    a.ownership.claim("gw/1");
    await a.part.last("gw/1 owned");
    b.ownership.claim("gw/1");
    b.ownership.claim("gw2");
    await b.part.last("gw2 owned");
    assert.deepEqual([a.ownership.owned(), b.ownership.owned()], [["gw/1"], ["gw2"]]);
    await a.ownership.release("gw/1");
    await b.part.last("gw/1 owned");
    assert.ok((a.part.fences[0] ?? 0n) < (b.part.fences.at(-1) ?? 0n));
    assert.deepEqual([a.ownership.isOwned("gw/1"), b.ownership.isOwned("gw/1")], [false, true]);
    await Promise.all([a.ownership.close(), b.ownership.close()]);
    assert.deepEqual(value(await a.connection.tree.exists(`${folder}/gw2`)), undefined);
  });

  test("ownership: what a closed process owned is claimed by another", async () => {
    const folder = new Layout(bench.freshRoot()).owners("vtep");
    const [a, b] = [await open("a", folder), await open("b", folder)];
    for (const id of ["1", "2", "3"]) a.ownership.claim(id);
    await a.part.until(() => a.part.lines.length === 3);
    for (const id of ["1", "2", "3"]) b.ownership.claim(id);
    await a.connection.close();
    await b.part.until(() => b.part.lines.length === 3);
    assert.deepEqual([...b.ownership.owned()].sort(), ["1", "2", "3"]);
    assert.deepEqual(a.ownership.owned(), []);
    await Promise.all([a.ownership.close(), b.ownership.close()]);
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`ownership: a claim or a release whose reply is lost comes to its end: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const folder = new Layout(bench.freshRoot()).owners("vtep");
      const { connection, part, ownership } = await open("a", folder);
      ownership.claim("0");
      await part.last("0 owned");
      await loseNext(connection.tree, fate);
      ownership.claim("1");
      await part.last("1 owned");
      await loseNext(connection.tree, fate);
      await ownership.release("1");
      assert.equal(value(await connection.tree.exists(`${folder}/1`)), undefined);
      await ownership.close();
    });
  }
}

/** Resolves when so many stand in a queue. */
async function queueLength(connection: StoreConnection, folder: string, length: number): Promise<void> {
  for (;;) {
    const read = await connection.tree.children(folder);
    if (read.ok && read.value.names.length === length) return;
    await connection.tree.sync(folder);
  }
}
