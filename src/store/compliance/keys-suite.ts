import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreConnection } from "../recipes/connection.ts";
import { Layout } from "../recipes/layout.ts";
import type { StateKey, StateValue, StateWatcher } from "../recipes/state-keys.ts";
import { TreeStateKeys } from "../recipes/tree-state-keys.ts";
import { failure, value, Waiting } from "./expecting.ts";
import type { RecipeBench } from "./recipe-suite.ts";

class Seen extends Waiting implements StateWatcher {
  readonly lines: string[] = [];

  onLoaded(values: readonly (readonly [StateKey, StateValue])[]): void {
    const texts = values.map(([key, { text }]) => `${key.id}.${key.name}=${text}`);
    this.add(`loaded ${texts.sort().join(" ")}`);
  }

  onChange(key: StateKey, found: StateValue | undefined): void {
    this.add(`${key.id}.${key.name}${found === undefined ? " gone" : `=${found.text}`}`);
  }

  add(line: string): void {
    this.lines.push(line);
    this.wake();
  }
}

const active: StateKey = { kind: "port", id: "p1", name: "active" };

/** What state keys promise, over a tree of any driver. */
export function keysTests(bench: RecipeBench): void {
  const open = async (layout: Layout): Promise<{ keys: TreeStateKeys; connection: StoreConnection }> => {
    const connection = await bench.connection();
    return { keys: new TreeStateKeys(connection, layout), connection };
  };
  const freshLayout = (): Layout => new Layout(bench.freshRoot());

  test("a key is set, replaced, read with its owner, and cleared", async () => {
    const { keys, connection } = await open(freshLayout());
    value(await keys.set(active, "one", { writer: "first" }));
    value(await keys.set(active, "two", { writer: "first" }));
    const found = value(await keys.get(active));
    assert.deepEqual([found?.text, found?.owner, found?.version], ["two", connection.tree.session.id, 1]);
    value(await keys.clear(active));
    value(await keys.clear(active));
    assert.equal(value(await keys.get(active)), undefined);
  });

  test("the first writer keeps a key: the second is told who holds it", async () => {
    const layout = freshLayout();
    const [one, two] = [await open(layout), await open(layout)];
    value(await one.keys.set(active, "mine", { writer: "first" }));
    const error = failure(await two.keys.set(active, "yours", { writer: "first" }));
    const path = layout.state("port", "active", "p1");
    assert.deepEqual(error, { kind: "held", path, owner: one.connection.tree.session.id, value: "mine" });
    value(await one.keys.clear(active));
    value(await two.keys.set(active, "yours", { writer: "first" }));
  });

  test("the last writer takes a key over, and the one before hears it once", async () => {
    const layout = freshLayout();
    const [one, two] = [await open(layout), await open(layout)];
    const lost = new Seen();
    value(await one.keys.set(active, "old", { writer: "last", onLost: () => lost.add("lost") }));
    value(await two.keys.set(active, "new", { writer: "last" }));
    await lost.until(() => lost.lines.length === 1);
    await bench.syncAll();
    const found = value(await one.keys.get(active));
    assert.deepEqual([found?.text, found?.owner], ["new", two.connection.tree.session.id]);
    value(await one.keys.clear(active));
    assert.equal(value(await one.keys.get(active))?.text, "new");
    assert.deepEqual(lost.lines, ["lost"]);
  });

  test("a watch tells the present keys first, then changes, for the prefix it asked for", async () => {
    const layout = freshLayout();
    const [one, two] = [await open(layout), await open(layout)];
    value(await one.keys.set(active, "1", { writer: "last" }));
    value(await one.keys.set({ ...active, name: "bgp" }, "up", { writer: "last" }));
    value(await one.keys.set({ kind: "host", id: "h1", name: "alive" }, "yes", { writer: "first" }));
    await bench.syncAll();
    const [all, ports, facts, single] = [new Seen(), new Seen(), new Seen(), new Seen()];
    const watches = [
      two.keys.watch({}, all),
      two.keys.watch({ kind: "port" }, ports),
      two.keys.watch({ kind: "port", name: "active" }, facts),
      two.keys.watch({ kind: "port", name: "active", id: "p2" }, single),
    ];
    await Promise.all(watches.map(({ ready }) => ready));
    value(await one.keys.set({ ...active, id: "p2" }, "2", { writer: "last" }));
    value(await one.keys.set(active, "3", { writer: "last" }));
    value(await one.keys.clear(active));
    await Promise.all([all, ports, facts].map((seen) => seen.until(() => seen.lines.at(-1) === "p1.active gone")));
    await single.until(() => single.lines.length === 2);
    assert.equal(all.lines[0], "loaded h1.alive=yes p1.active=1 p1.bgp=up");
    assert.equal(ports.lines[0], "loaded p1.active=1 p1.bgp=up");
    assert.equal(facts.lines[0], "loaded p1.active=1");
    assert.deepEqual(single.lines, ["loaded ", "p2.active=2"]);
    assert.ok(facts.lines.includes("p2.active=2"));
    for (const watch of watches) watch.close();
  });

  test("keys go with the session, and everybody who watches hears it", async () => {
    const layout = freshLayout();
    const [one, two] = [await open(layout), await open(layout)];
    value(await one.keys.set(active, "1", { writer: "first" }));
    await bench.syncAll();
    const seen = new Seen();
    const watch = two.keys.watch({ kind: "port" }, seen);
    await watch.ready;
    await one.connection.close();
    await seen.until(() => seen.lines.includes("p1.active gone"));
    assert.equal(failure(await one.keys.set(active, "2", { writer: "first" })).kind, "store-unavailable");
    watch.close();
  });

  test("after the session expired a key is set again, unless a first-writer key went to another", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const layout = freshLayout();
    const [one, two] = [await open(layout), await open(layout)];
    value(await one.keys.set(active, "1", { writer: "first" }));
    await bench.syncAll();
    const seen = new Seen();
    const watch = two.keys.watch({ kind: "port" }, seen);
    await watch.ready;
    await expire(one.connection.tree);
    // The time between may be too short to be seen.
    await seen.until(() => seen.lines.length > 1 && seen.lines.at(-1) === "p1.active=1");
    const found = value(await two.keys.get(active));
    assert.equal(found?.owner, one.connection.tree.session.id);
    watch.close();
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`a key whose reply is lost is set all the same: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const { keys, connection } = await open(freshLayout());
      value(await keys.set({ ...active, id: "p0" }, "0", { writer: "first" }));
      await loseNext(connection.tree, fate);
      value(await keys.set(active, "1", { writer: "first" }));
      assert.equal(value(await keys.get(active))?.text, "1");
    });
  }
}
