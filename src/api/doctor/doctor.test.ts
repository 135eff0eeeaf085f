import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { DoctorAnswer } from "../../api-schema/doctor-resource.ts";
import { ApiFixture } from "../testdata/fixture.ts";
import { checkServers, clockFinding } from "./store-checks.ts";

const HOST = "00000000-0000-4000-8000-000000000001";

describe("the doctor of the API", () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().open();
  });
  afterEach(() => api.close());

  async function examine(query = ""): Promise<DoctorAnswer> {
    const { status, body } = await api.send(`GET /v1/doctor${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  async function bad(): Promise<readonly string[]> {
    const { findings } = await examine();
    return findings.filter(({ level }) => level !== "ok").map(({ check, level }) => `${check} ${level}`);
  }

  const agentOf = (wall = () => Date.now(), release = "0.0.0-test") => {
    const finding = { check: "kernel", level: "ok", subject: "kernel", found: "Linux 6.1" };
    return (line: string) => {
      const status = { hostId: HOST, release, startedAt: 1, workers: 1, isStoreConnected: true, ports: [] };
      const body = line === "GET /doctor" ? { wall: wall(), findings: [finding] } : status;
      return { status: 200, body: JSON.stringify(body) };
    };
  };

  it("finds nothing in a cloud that is well, and passes on what agents find", async () => {
    const { id } = await api.make("hosts", { name: "h1" });
    await api.live(id, agentOf());
    const { findings, missing } = await examine();
    assert.deepEqual(missing, []);
    assert.deepEqual(
      findings.filter(({ level }) => level !== "ok"),
      [],
    );
    assert.ok(findings.some(({ check, hostId }) => check === "kernel" && hostId === id));
    const checks = new Set(findings.map(({ check }) => check));
    for (const check of ["store", "store-servers", "store-layout", "clocks", "hosts", "zones", "bindings", "leftovers"])
      assert.ok(checks.has(check as "store"), check);
    const one = await examine(`?host=${id}`);
    assert.deepEqual(
      one.findings.map(({ check }) => check),
      ["clocks", "kernel"],
    );
    assert.equal((await api.send("GET /v1/doctor?host=00000000-0000-4000-8000-00000000dead")).status, 404);
  });

  it("finds hosts that do not live, clocks that differ, and another release", async () => {
    const { id: late } = await api.make("hosts", { name: "late" });
    await api.live(
      late,
      agentOf(() => Date.now() - 5_000, "9.9.9"),
    );
    const { id: dead } = await api.make("hosts", { name: "dead" });
    assert.deepEqual(await bad(), ["hosts warning", "hosts warning", "clocks warning"]);
    const bridge = await api.make("bridges", { name: "b" });
    const port = await api.make("ports", { deviceKind: "bridge", bridgeId: bridge.id });
    await api.send(`POST /v1/ports/${port.id}/bind`, { hostId: dead, interfaceName: "tap0" });
    assert.ok((await bad()).includes("hosts failure"));
    const { missing } = await examine();
    assert.deepEqual(
      missing.map(({ name, code }) => `${name} ${code}`),
      ["dead agent-not-alive"],
    );
  });

  it("finds a port that its living host does not forward for, and what is left of objects that are gone", async () => {
    const { id } = await api.make("hosts", { name: "h1" });
    await api.live(id, agentOf());
    const bridge = await api.make("bridges", { name: "b" });
    const port = await api.make("ports", { deviceKind: "bridge", bridgeId: bridge.id });
    await api.send(`POST /v1/ports/${port.id}/bind`, { hostId: id, interfaceName: "tap0" });
    assert.deepEqual(await bad(), ["bindings warning"]);
    await api.send(`POST /v1/ports/${port.id}/unbind`);
    const gone = "00000000-0000-4000-8000-00000000dead";
    await api.published.set({ kind: "port", id: gone, name: "active" }, "{}", { writer: "last" });
    assert.deepEqual(await bad(), ["leftovers warning"]);
    const { findings } = await examine();
    assert.ok(findings.some(({ subject }) => subject === `/weft/state/port/active/${gone}`));
  });

  it("tells of a store that was emptied, or that a later release wrote, beside everything else, and still hears the agents", async () => {
    const { id } = await api.make("hosts", { name: "h1" });
    await api.live(id, agentOf());
    const { tree } = api.connection;
    const layout = await tree.get("/weft/layout");
    assert.ok(layout.ok);
    const told = async (found: RegExp): Promise<void> => {
      const { findings, missing } = await examine();
      const one = findings.find(({ check, level }) => check === "store-layout" && level === "failure");
      assert.match(`${one?.found}; ${one?.remedy}`, found);
      assert.equal(findings.filter(({ check }) => check === "store-layout").length, 1);
      assert.ok(
        findings.some(({ check, hostId }) => check === "kernel" && hostId === id),
        "the host's checks",
      );
      for (const check of ["store", "store-servers", "clocks"]) assert.ok(findings.some((two) => two.check === check));
      assert.deepEqual(missing, []);
      assert.ok((await examine(`?host=${id}`)).findings.some(({ check }) => check === "kernel"));
    };
    await tree.set("/weft/layout", new TextEncoder().encode('{"layout":99}'));
    await told(/layout 99; this release knows up to \d+; use the release/);
    const gone = new Promise<void>((resolve) => void api.facts.subscribe(() => resolve()));
    await api.hosts.close();
    await gone;
    await tree.remove("/weft/layout");
    await told(/everything under \/weft is gone.*weft store restore FILE/);
  });

  it("finds a term and a secret that are none", async () => {
    await api.make("bridges", { name: "b" });
    const { tree } = api.connection;
    await tree.set("/weft/term", new TextEncoder().encode("abc"));
    await tree.create("/weft/secret", new TextEncoder().encode("xyz"));
    assert.deepEqual(await bad(), ["store-layout failure", "store-layout failure"]);
  });

  it("leaves no node of its own behind", async () => {
    await api.make("bridges", { name: "b" });
    await examine();
    const children = await api.connection.tree.children("/weft");
    assert.ok(children.ok && children.value.names.every((name) => !name.startsWith("doctor")));
  });
});

describe("what is said of the servers of the store", () => {
  const levels = (...answers: readonly (readonly [string, string | undefined])[]): readonly string[] =>
    checkServers(answers.map(([server, mode]) => ({ server, mode, zxid: "0x1", why: "refused" }))).map(
      ({ level, subject }) => `${level} ${subject}`,
    );

  it("is well of one server, and of one leader with its followers", () => {
    assert.deepEqual(levels(["a", "standalone"]), ["ok servers of the store"]);
    assert.deepEqual(levels(["a", "leader"], ["b", "follower"], ["c", "follower"]), ["ok servers of the store"]);
  });

  it("is a warning while a majority answers, and a failure without", () => {
    assert.deepEqual(levels(["a", "leader"], ["b", "follower"], ["c", undefined]), [
      "warning c",
      "ok servers of the store",
    ]);
    assert.deepEqual(levels(["a", undefined], ["b", "follower"], ["c", undefined]), [
      "failure a",
      "failure c",
      "ok servers of the store",
    ]);
  });

  it("is a failure when they are no ensemble", () => {
    assert.deepEqual(levels(["a", "standalone"], ["b", "standalone"]), ["failure servers of the store"]);
    assert.deepEqual(levels(["a", "leader"], ["b", "leader"]), ["failure servers of the store"]);
  });
});

it("a clock is compared with the span in which it was read", () => {
  const level = (at: number) => clockFinding("c", { at, from: 1_000, until: 3_000 }).level;
  assert.deepEqual(
    [level(2_000), level(0), level(-1), level(4_000), level(4_001)],
    ["ok", "ok", "warning", "ok", "warning"],
  );
  assert.match(clockFinding("c", { at: 9_000, from: 1_000, until: 3_000 }).found, /6\.000 s ahead/);
});
