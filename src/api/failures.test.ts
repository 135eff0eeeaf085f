import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ERROR_CATALOGUE } from "../api-schema/errors.ts";
import { err } from "../base/result.ts";
import { idOf } from "../model/testdata/topology.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";
import { apiErrorOfStore } from "./store-failure.ts";
import { ApiFixture } from "./testdata/fixture.ts";

const object = { kind: "bridge", id: idOf(1) };

describe("a failure of the store", () => {
  it("has a code of its own", () => {
    const cases: readonly (readonly [string, StoreError])[] = [
      [
        "peer-asymmetric",
        { kind: "invalid", errors: [{ kind: "peer-asymmetric", object, field: "peerId", expected: "x" }] },
      ],
      ["not-found", { kind: "not-found", object }],
      ["id-taken", { kind: "already-exists", object }],
      ["version-mismatch", { kind: "version-conflict", object, expected: 1, actual: 2 }],
      ["in-use", { kind: "in-use", object, by: { kind: "port", id: idOf(2) }, field: "bridgeId" }],
      ["damaged-document", { kind: "damaged", error: { kind: "damaged-document", object, field: "", expected: "x" } }],
      ["too-many", { kind: "too-large", what: "operations", size: 9, limit: 8 }],
      ["conflict", { kind: "busy", attempts: 3 }],
      ["conflict", { kind: "held", path: "/a", owner: 1n, value: "" }],
      ["outcome-unknown", { kind: "outcome-unknown" }],
      ["store-unavailable", { kind: "store-unavailable", why: "no connection for 10 s" }],
      ["store-denied", { kind: "no-auth", path: "/weft/layout" }],
      ["newer-document", { kind: "layout-newer", found: 2, supported: 1 }],
    ];
    for (const [code, failure] of cases) assert.equal(apiErrorOfStore(failure).code, code);
    const inUse = apiErrorOfStore(cases[4]?.[1] as StoreError);
    assert.match(inUse.message, /no bridgeId of port 0/);
  });

  it("is answered with its status", async () => {
    const away: StoreError = { kind: "store-unavailable", why: "no connection" };
    const topology = { get: async () => err(away), list: async () => err(away), transact: async () => err(away) };
    const api = await new ApiFixture().open({ topology: topology as unknown as TopologyStore });
    for (const line of [
      "GET /v1/bridges",
      `GET /v1/ports/${idOf(1)}`,
      `DELETE /v1/ports/${idOf(1)}`,
      "GET /v1/rules",
      "GET /v1/flows",
    ]) {
      const reply = await api.send(line);
      assert.deepEqual([reply.status, reply.outcome], [503, "store-unavailable"]);
    }
    assert.equal((await api.send("POST /v1/bridges", { name: "a" })).outcome, "store-unavailable");
    await api.close();
  });

  it("that never ends in peace is a conflict", async () => {
    const fixture = new ApiFixture();
    const { topology } = fixture;
    const restless: TopologyStore = Object.assign(Object.create(topology) as TopologyStore, {
      get: topology.get.bind(topology),
      list: topology.list.bind(topology),
      transact: async (changes: Parameters<TopologyStore["transact"]>[0]) => {
        const isUpdate = changes.some(({ op }) => op === "update");
        return isUpdate
          ? err({ kind: "version-conflict", object, expected: 1, actual: 2 })
          : topology.transact(changes);
      },
    });
    const api = await fixture.open({ topology: restless });
    const { id } = await api.make("bridges", { name: "a" });
    assert.equal((await api.send(`PATCH /v1/bridges/${id}`, { isUp: false })).outcome, "conflict");
    assert.equal((await api.send(`PATCH /v1/bridges/${id}`, { isUp: false, version: 0 })).outcome, "version-mismatch");
    await api.close();
  });
});

describe("a bug", () => {
  it("is logged in full and answered without a word about it", async () => {
    const topology = { get: () => Promise.reject(new Error("secret detail")) } as unknown as TopologyStore;
    const api = await new ApiFixture().open({ topology });
    const reply = await api.send(`GET /v1/bridges/${idOf(1)}`);
    assert.deepEqual([reply.status, reply.outcome], [500, "internal"]);
    assert.doesNotMatch(JSON.stringify(reply.body), /secret/);
    assert.match(String(api.log.lines.find(({ event }) => event === "api.bug")?.fields["what"]), /secret detail/);
    await api.close();
  });
});

describe("the error catalogue", () => {
  it("holds no code that no test raises", () => {
    const folder = fileURLToPath(new URL("..", import.meta.url));
    const files = globSync("{api,api-schema,api-client}/**/*.test.ts", { cwd: folder });
    const text = files.map((file) => readFileSync(`${folder}/${file}`, "utf8")).join("\n");
    const silent = Object.keys(ERROR_CATALOGUE).filter((code) => !new RegExp(`["\` ]${code}["\` ]`).test(text));
    assert.deepEqual(silent, []);
  });
});
