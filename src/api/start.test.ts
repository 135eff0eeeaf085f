import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiClient } from "../api-client/client.ts";
import { parseHttpTarget } from "../api-client/http-json.ts";
import type { ListenAddress } from "../base/listen-address.ts";
import { silentLog } from "../base/log.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { listenAddresses } from "./config.ts";
import { type RunningApi, startApi } from "./start.ts";
import { readToken } from "./token.ts";

/** Everything that comes back for these bytes until the server closes. */
async function raw(path: string, text: string): Promise<string> {
  const connection = connect(path);
  connection.setEncoding("utf8");
  connection.end(text);
  let answer = "";
  for await (const part of connection) answer += part;
  return answer;
}

describe("a server that listens", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-api-"));
  const socket = join(folder, "api.sock");
  const store = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  const token = unwrap(readToken(join(folder, "secret", "token")));
  let running: RunningApi;
  const start = (...listen: readonly ListenAddress[]) =>
    startApi({
      listen,
      token,
      metricsListen: undefined,
      askServers: async () => [],
      support: () => ({ config: [], log: [] }),
      logLines: () => ({}),
      storeCounters: { catalogue: {}, snapshot: () => ({}) },
      agentDeadlineMs: 100,
      scheduler: systemScheduler,
      log: silentLog,
      connect: () => store.connect(),
    });
  const clientOf = (address: string, shown = token): ApiClient =>
    new ApiClient({ target: unwrap(parseHttpTarget(address)), token: shown });
  before(async () => {
    running = unwrap(await start({ kind: "unix", path: socket }, { kind: "tcp", host: "127.0.0.1", port: 0 }));
  });
  after(async () => {
    await running.stop();
    store.stop();
    rmSync(folder, { recursive: true });
  });

  it("answers on its socket, which only its owner can open, and on its port", async () => {
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const [unix = "", tcp = ""] = running.addresses;
    const [a, b] = [clientOf(unix), clientOf(tcp)];
    const made = await a.create("bridge", { name: "net" });
    assert.ok(made.ok);
    assert.deepEqual(await b.get("bridge", made.value.id), made);
    assert.deepEqual(await b.delete("bridge", made.value.id, { version: made.value.version }), {
      ok: true,
      value: undefined,
    });
    a.close();
    b.close();
  });

  it("serves every operation that the client has", async () => {
    const client = clientOf(`unix:${socket}`);
    const made = async <T>(outcome: Promise<{ ok: true; value: T } | { ok: false; error: unknown }>): Promise<T> =>
      unwrap(await outcome);
    const bridge = await made(client.create("bridge", { name: "b" }));
    const router = await made(client.create("router", { name: "r" }));
    const host = await made(client.create("host", { name: "h" }));
    const zone = await made(client.create("tunnel-zone", { name: "z" }));
    const vm = await made(client.create("port", { deviceKind: "bridge", bridgeId: bridge.id }));
    const up = await made(client.create("port", { deviceKind: "bridge", bridgeId: bridge.id }));
    const down = await made(
      client.create("port", { deviceKind: "router", routerId: router.id, addresses: ["10.0.0.1/24"] }),
    );
    assert.equal((await made(client.bind(vm.id, { hostId: host.id, interfaceName: "eth0" }))).state, "bound");
    assert.equal((await made(client.link(up.id, down.id))).peerId, down.id);
    assert.equal((await made(client.addMember(zone.id, { hostId: host.id, address: "192.0.2.1" }))).members.length, 1);
    assert.equal((await made(client.removeMember(zone.id, host.id))).members.length, 0);
    await made(client.addFdbEntry(bridge.id, { mac: "02:00:00:00:00:01", portId: vm.id }));
    assert.equal((await made(client.fdb(bridge.id))).items[0]?.portId, vm.id);
    await made(client.removeFdbEntry(bridge.id, { mac: "02:00:00:00:00:01", vlan: 0 }));
    await made(client.addNeighbor("router", router.id, { ip: "fd00::2", mac: "02:00:00:00:00:02" }));
    await made(client.removeNeighbor("router", router.id, "fd00::2"));
    assert.deepEqual((await made(client.neighbors("router", router.id))).items, []);
    assert.equal((await made(client.patch("bridge", bridge.id, { isUp: false }))).isUp, false);
    assert.equal((await made(client.unlink(up.id))).state, "unplugged");
    assert.equal((await made(client.unbind(vm.id))).state, "unplugged");
    assert.deepEqual((await made(client.listAll("port", { limit: 1 }))).length, 3);
    assert.deepEqual(
      (await made(client.flows())).missing.map(({ name }) => name),
      ["h"],
    );
    assert.deepEqual((await made(client.drops())).items, []);
    const status = await client.hostStatus(host.id);
    assert.equal(status.ok ? "" : status.error.kind === "refused" && status.error.error.code, "agent-not-alive");
    const walk = await client.trace({ portId: vm.id, frame: "ff".repeat(20), hostId: host.id });
    assert.equal(walk.ok ? "" : walk.error.kind === "refused" && walk.error.status, 503);
    client.close();
  });

  it("says in the catalogue's words what is wrong with what is no request", async () => {
    const sent: readonly (readonly [string, string])[] = [
      ["nonsense\r\n\r\n", "400 bad-request"],
      ["GET /v1/health HTTP/1.1\r\n\r\n", "400 bad-request"],
      [`GET /v1/health HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, "431 headers-too-large"],
      ["GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 undefined"],
    ];
    for (const [text, expected] of sent) {
      const answer = await raw(socket, text);
      const [head = "", body = ""] = answer.split("\r\n\r\n");
      const code = (JSON.parse(body) as { readonly error?: { readonly code: string } }).error?.code;
      assert.equal(`${head.split(" ")[1]} ${code}`, expected);
    }
  });

  it("refuses a wrong token, and the client says why nothing came", async () => {
    const stranger = clientOf(`unix:${socket}`, "wrong");
    const refused = await stranger.list("bridge");
    assert.equal(refused.ok ? "" : refused.error.kind === "refused" && refused.error.error.code, "unauthenticated");
    stranger.close();
    const nobody = clientOf(`unix:${folder}/nobody`);
    const away = await nobody.list("bridge");
    assert.deepEqual(away.ok ? "" : away.error, {
      kind: "unreachable",
      address: `unix:${folder}/nobody`,
      why: "there is no such socket",
    });
    nobody.close();
  });

  it("does not take a place that is taken, and takes over what the dead left", async () => {
    const second = await start({ kind: "unix", path: socket });
    assert.equal(
      second.ok ? "" : second.error,
      `${socket} is in use by another process: stop the other server, or choose another path with --socket`,
    );
    const [, tcp = ""] = running.addresses;
    const port = Number(tcp.split(":").at(-1));
    const other = join(folder, "other.sock");
    const third = await start({ kind: "unix", path: other }, { kind: "tcp", host: "127.0.0.1", port });
    assert.match(third.ok ? "" : third.error, /in use: stop the other server, or choose another port/);
    const file = join(folder, "file");
    writeFileSync(file, "");
    const fourth = await start({ kind: "unix", path: file });
    assert.match(fourth.ok ? "" : fourth.error, /is no socket/);
    const leftover = join(folder, "leftover.sock");
    const dead = createServer().listen(leftover);
    await new Promise((resolve) => dead.once("listening", resolve));
    // Closing removes the socket at its path; a process that was killed leaves it.
    renameSync(leftover, `${leftover}.away`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${leftover}.away`, leftover);
    const fifth = unwrap(await start({ kind: "unix", path: leftover }));
    await fifth.stop();
  });
});

describe("the configuration", () => {
  it("says what is wrong with an address", () => {
    const of = (socket: string, listen?: string) => {
      const result = listenAddresses({ socket, listen });
      return result.ok ? result.value.map(({ kind }) => kind).join(" ") : result.error;
    };
    assert.equal(of("/run/a.sock"), "unix");
    assert.equal(of("/run/a.sock", "[::1]:80"), "unix tcp");
    assert.match(of("/run/a.sock", "80"), /expected an address and a port/);
    assert.match(of("/run/a.sock", "a:70000"), /expected an address and a port/);
    assert.match(of(`/${"x".repeat(108)}`), /107 bytes/);
  });

  it("makes a token once, keeps it secret, and refuses a weak one", () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-token-"));
    const path = join(folder, "a", "token");
    const first = unwrap(readToken(path));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(unwrap(readToken(path)), first);
    writeFileSync(join(folder, "weak"), "1234\n");
    assert.match(JSON.stringify(readToken(join(folder, "weak"))), /at least 32 characters/);
    assert.equal(readToken(folder).ok, false);
    rmSync(folder, { recursive: true });
  });
});
