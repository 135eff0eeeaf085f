import assert from "node:assert/strict";
import { test } from "node:test";
import { err, ok } from "../../base/result.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { Layout } from "../recipes/layout.ts";
import type { MapKind, Precedence } from "../recipes/map-kind.ts";
import type { MapEntry, MapListener } from "../recipes/replicated-map.ts";
import { TreeReplicatedMap } from "../recipes/tree-replicated-map.ts";
import { bytes, failure, value, Waiting } from "./expecting.ts";
import type { RecipeBench } from "./recipe-suite.ts";
import { textMapKind } from "./text-map-kind.ts";

type TextMap = TreeReplicatedMap<string, string>;

/** Writes down what a subscriber hears. */
class Heard extends Waiting implements MapListener<string, string> {
  readonly lines: string[] = [];

  onLoaded(entries: readonly (readonly [string, MapEntry<string>])[]): void {
    const texts = entries.map(([key, { value: text }]) => `${key}=${text}`);
    this.#add(`loaded ${texts.sort().join(" ")}`);
  }

  onChange(key: string, after: MapEntry<string> | undefined): void {
    this.#add(after === undefined ? `${key} gone` : `${key}=${after.value}`);
  }

  onOverridden(key: string, own: string): void {
    this.#add(`overridden ${key}=${own}`);
  }

  onDamaged(name: string): void {
    this.#add(`damaged ${name}`);
  }

  #add(line: string): void {
    this.lines.push(line);
    this.wake();
  }
}

/** What a replicated map promises, over a tree of any driver. */
export function mapTests(bench: RecipeBench): void {
  const freshPath = (): string => new Layout(bench.freshRoot()).map({ kind: "bridge", id: "b1" }, "fdb");
  const open = async (
    path: string,
    precedence: Precedence = "newest-learned-then-configured",
  ): Promise<{ map: TextMap; heard: Heard; connection: StoreConnection }> => {
    const connection = await bench.connection();
    const map = new TreeReplicatedMap({ connection, path, kind: textMapKind(precedence) });
    const heard = new Heard();
    map.subscribe(heard);
    await map.ready;
    return { map, heard, connection };
  };

  test("what one owner learns, everybody sees, by an event alone", async () => {
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.put("k", "a"));
    await two.heard.until(() => two.map.get("k") === "a");
    value(await one.map.put("k", "b"));
    value(await one.map.put("other", "c"));
    await two.heard.until(() => two.map.get("other") === "c");
    assert.deepEqual(two.heard.lines, ["loaded ", "k=a", "k=b", "other=c"]);
    assert.equal(one.map.entry("k")?.isOwn, true);
    assert.equal(two.map.entry("k")?.isOwn, false);
    value(await one.map.remove("k"));
    await two.heard.until(() => two.heard.lines.at(-1) === "k gone");
    assert.equal(two.map.size, 1);
  });

  test("an opinion is a node named key,value,sequence, and keys and values may hold anything", async () => {
    const path = freshPath();
    const { map, connection } = await open(path);
    value(await map.put("10.0.0.1", "02:00:00:00:00:01"));
    assert.deepEqual(value(await connection.tree.children(path)).names, ["10.0.0.1,02:00:00:00:00:01,0000000000"]);
    for (const key of ["a,b", "a/b", "", "%", "网络", "..", "\u0000", "😀"]) {
      value(await map.put(key, `${key}!`));
      assert.equal(map.get(key), `${key}!`);
    }
  });

  test("a subscriber hears the full present content first, then only changes", async () => {
    const path = freshPath();
    const { map } = await open(path);
    value(await map.put("x", "1"));
    value(await map.put("y", "2"));
    const late = new Heard();
    const end = map.subscribe(late);
    value(await map.put("x", "1"));
    value(await map.put("x", "3"));
    await late.until(() => late.lines.length >= 2);
    assert.deepEqual(late.lines, ["loaded x=1 y=2", "x=3"]);
    end();
    value(await map.put("x", "4"));
    assert.equal(late.lines.length, 2);
  });

  test("saying the same again writes nothing, and of one owner only the newest opinion stays", async () => {
    const path = freshPath();
    const { map, connection } = await open(path);
    for (const text of ["a", "a", "b", "b", "c"]) value(await map.put("k", text));
    const { names, stat } = value(await connection.tree.children(path));
    assert.deepEqual(names, ["k,c,0000000002"]);
    assert.equal(stat.cversion, 5);
  });

  test("a newer learned opinion takes over; the older owner withdraws its own and hears it", async () => {
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.put("k", "a"));
    await two.heard.until(() => two.map.get("k") === "a");
    value(await two.map.put("k", "b"));
    await one.heard.until(() => one.heard.lines.includes("overridden k=a"));
    assert.equal(one.map.get("k"), "b");
    const check = async (): Promise<boolean> => value(await one.connection.tree.children(path)).names.length === 1;
    while (!(await check()));
    value(await two.map.remove("k"));
    await one.heard.until(() => one.map.get("k") === undefined);
  });

  test("configured and learned opinions rank as the kind says", async () => {
    const expected: Readonly<Record<Precedence, readonly (string | undefined)[]>> = {
      "newest-learned-then-configured": ["configured", "learned", "configured"],
      "newest-learned": [undefined, "learned", undefined],
      "configured-then-newest-learned": ["configured", "configured", "configured"],
    };
    for (const [precedence, [alone, both, left]] of Object.entries(expected)) {
      const { map, heard } = await open(freshPath(), precedence as Precedence);
      value(await map.configure("k", "configured"));
      value(await map.configure("mark", "x"));
      value(await map.put("mark", "x"));
      await heard.until(() => map.get("mark") === "x");
      assert.equal(map.get("k"), alone, precedence);
      value(await map.put("k", "learned"));
      assert.equal(map.get("k"), both, precedence);
      value(await map.remove("k"));
      value(await map.put("mark2", "x"));
      assert.equal(map.get("k"), left, precedence);
    }
  });

  test("a configured opinion replaces the one before, outlives its writer, and is taken back by anybody", async () => {
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.configure("k", "a"));
    value(await one.map.configure("k", "a"));
    value(await one.map.configure("k", "b"));
    await one.connection.close();
    await two.heard.until(() => two.map.get("k") === "b");
    assert.equal(value(await two.connection.tree.children(path)).names.length, 1);
    value(await two.map.unconfigure("k", "other"));
    assert.equal(two.map.get("k"), "b");
    value(await two.map.unconfigure("k"));
    await two.heard.until(() => two.map.get("k") === undefined);
  });

  test("a removal that names another value than the present one does nothing", async () => {
    const { map } = await open(freshPath());
    value(await map.put("k", "a"));
    value(await map.remove("k", "b"));
    value(await map.remove("never said"));
    assert.equal(map.get("k"), "a");
    value(await map.remove("k", "a"));
    assert.equal(map.get("k"), undefined);
  });

  test("every opinion is shown with the session that owns it", async () => {
    const path = freshPath();
    const { map, connection } = await open(path, "configured-then-newest-learned");
    value(await map.put("k", "a"));
    value(await map.configure("k", "b"));
    await bench.syncAll();
    const opinions = value(await map.opinions("k")).map(({ value: text, owner, isWinner }) => [text, owner, isWinner]);
    assert.deepEqual(opinions, [
      ["a", connection.tree.session.id, false],
      ["b", 0n, true],
    ]);
  });

  test("a name that is no opinion of this kind is reported and skipped", async () => {
    const path = freshPath();
    const digit = { format: String, parse: (text: string) => (/^\d$/.test(text) ? ok(Number(text)) : err("a digit")) };
    const kind: MapKind<number, number> = { name: "digits", precedence: "newest-learned", key: digit, value: digit };
    const connection = await bench.connection();
    const map = new TreeReplicatedMap({ connection, path, kind });
    const damaged: string[] = [];
    const waiting = new Waiting();
    map.subscribe({
      onLoaded: () => undefined,
      onChange: () => waiting.wake(),
      onDamaged: (name, why) => damaged.push(`${name}: ${why}`),
    });
    await map.ready;
    value(await map.put(1, 2));
    for (const name of ["stray", "a,1,0000000000", "1,b,0000000000"]) {
      value(await connection.tree.create(`${path}/${name}`, bytes("")));
    }
    value(await map.put(3, 4));
    assert.deepEqual([...map.entries()].map(([key, entry]) => [key, entry.value]).sort(), [
      [1, 2],
      [3, 4],
    ]);
    assert.deepEqual(damaged, [
      "stray: expected a name key,value,sequence",
      "a,1,0000000000: expected a key that is a digit",
      "1,b,0000000000: expected a value that is a digit",
    ]);
  });

  test("learned opinions go with the session of their owner", async () => {
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.put("k", "a"));
    await two.heard.until(() => two.map.get("k") === "a");
    await one.connection.close();
    await two.heard.until(() => two.map.get("k") === undefined);
    assert.equal(failure(await one.map.put("k", "b")).kind, "store-unavailable");
  });

  test("a closed map is silent, and forgets its opinions when told so", async () => {
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.put("k", "a"));
    await one.map.close({ forget: true });
    value(await two.map.put("j", "b"));
    await two.heard.until(() => two.map.get("k") === undefined);
    assert.equal(one.heard.lines.includes("j=b"), false);
    assert.equal(failure(await one.map.put("k", "b")).kind, "store-unavailable");
  });

  test("after the session expired everything is registered again, but not over what others learned", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    value(await one.map.put("kept", "a"));
    value(await one.map.put("taken", "a"));
    await two.heard.until(() => two.map.size === 2);
    const { id } = one.connection.tree.session;
    await expire(one.connection.tree);
    await two.heard.until(() => two.heard.lines.filter((line) => line.endsWith("gone")).length === 2);
    value(await two.map.put("taken", "b"));
    await one.heard.until(() => one.map.get("taken") === "b" && one.map.entry("kept")?.isOwn === true);
    await two.heard.until(() => two.map.get("kept") === "a");
    assert.notEqual(one.connection.tree.session.id, id);
  });

  test("a reconnect reads everything again and misses nothing", async (t) => {
    const { disconnect } = bench.server();
    if (disconnect === undefined) return t.skip("this driver cannot break a connection");
    const path = freshPath();
    const [one, two] = [await open(path), await open(path)];
    for (let round = 0; round < 5; round++) {
      await disconnect(two.connection.tree);
      value(await one.map.put(`k${round}`, "a"));
      value(await one.map.put("same", `${round}`));
      await two.heard.until(() => two.map.get(`k${round}`) === "a" && two.map.get("same") === `${round}`);
    }
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`an opinion whose reply is lost is there exactly once: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const path = freshPath();
      const { map, connection } = await open(path);
      value(await map.put("before", "x"));
      await loseNext(connection.tree, fate);
      value(await map.put("k", "a"));
      value(await map.put("k", "b"));
      const names = value(await connection.tree.children(path)).names.filter((name) => name.startsWith("k,"));
      assert.equal(names.length, 1, names.join(" "));
      assert.deepEqual([map.get("k"), map.entry("k")?.isOwn], ["b", true]);
    });
  }
}
