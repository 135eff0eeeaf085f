import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idOf } from "../model/testdata/topology.ts";
import { formatFrame, parseFrame } from "../wire/frame.ts";
import { badChecksumsOf } from "../wire/frame-checksum.ts";
import { ApiFixture } from "./testdata/fixture.ts";

const json = (body: unknown, status = 200) => ({ status, body: JSON.stringify(body) });
const flow = { slot: 1, key: "k", flowClass: "l3", action: "output 1", packets: 5, bytes: 500, idleMs: 3, tags: 4 };

describe("what agents know", () => {
  let api: ApiFixture;
  const hosts: string[] = [];
  const asked: string[] = [];
  before(async () => {
    api = await new ApiFixture().open();
    for (const name of ["quick", "mute", "broken", "dead", "refusing"])
      hosts.push((await api.make("hosts", { name })).id);
    const [quick = "", mute = "", broken = "", , refusing = ""] = hosts;
    await api.live(quick, (line, body) => {
      asked.push(`${line} ${body}`.trim());
      if (line.startsWith("GET /flows")) return json({ flows: [flow], total: 7 });
      if (line === "GET /drops") return json({ drops: [{ reason: "no-route", packets: 2 }] });
      if (line === "GET /status") {
        return json({
          hostId: quick,
          release: "1",
          startedAt: 1,
          workers: 1,
          flows: 7,
          isStoreConnected: true,
          ports: [],
        });
      }
      return json({ verdict: "forward", walk: ["bridge net"], flowClass: "l3", action: "output 1" });
    });
    await api.live(mute, () => undefined);
    await api.live(broken, () => ({ status: 200, body: "<html>" }));
    await api.live(refusing, () =>
      json({ error: { code: "bad-frame", message: "m", remedy: "r", field: "frame" } }, 400),
    );
  });
  after(() => api.close());

  it("is answered host by host, and hosts that fail are named", async () => {
    const flows = await api.send("GET /v1/flows?limit=3");
    assert.deepEqual(flows.body.items, [{ hostId: hosts[0], ...flow }]);
    assert.equal(flows.body.total, 7);
    const missing = flows.body.missing.map(({ name, code }: { name: string; code: string }) => `${name} ${code}`);
    assert.deepEqual(missing.toSorted(), [
      "broken agent-failed",
      "dead agent-not-alive",
      "mute agent-timeout",
      "refusing bad-frame",
    ]);
    assert.ok(asked.includes("GET /flows?limit=3"));
    const drops = await api.send("GET /v1/drops");
    assert.deepEqual(drops.body.items, [{ hostId: hosts[0], reason: "no-route", packets: 2 }]);
    assert.equal(drops.body.missing.length, 4);
  });

  it("of one host is its answer or its failure", async () => {
    const of = async (i: number): Promise<string> => (await api.send(`GET /v1/drops?host=${hosts[i]}`)).outcome;
    assert.deepEqual(
      [await of(0), await of(1), await of(2), await of(3)],
      ["200", "agent-timeout", "agent-failed", "agent-not-alive"],
    );
    assert.equal((await api.send(`GET /v1/drops?host=${idOf(9)}`)).outcome, "not-found");
    assert.equal((await api.send(`GET /v1/hosts/${hosts[0]}/status`)).body.workers, 1);
    assert.equal((await api.send(`GET /v1/hosts/${hosts[3]}/status`)).outcome, "agent-not-alive");
  });

  it("that vanished without a word counts as not alive", async () => {
    const { id } = await api.make("hosts", { name: "vanished" });
    await api.alive(id, `unix:${api.folder}/nobody.sock`);
    assert.equal((await api.send(`GET /v1/drops?host=${id}`)).outcome, "agent-not-alive");
    await api.alive(id, "nonsense://");
    assert.equal((await api.send(`GET /v1/drops?host=${id}`)).outcome, "agent-failed");
  });

  describe("a trace", () => {
    let portId: string;
    let bridgeId: string;
    let routerMac: string;
    let gatewayId: string;
    before(async () => {
      bridgeId = (await api.make("bridges", { name: "net" })).id;
      const routerId = (await api.make("routers", { name: "edge" })).id;
      portId = (await api.make("ports", { bridgeId })).id;
      const inner = await api.make("ports", { bridgeId });
      const outer = await api.make("ports", { routerId, addresses: ["10.0.0.1/24", "fd00::1/64"] });
      routerMac = outer.mac;
      gatewayId = outer.id;
      await api.send(`POST /v1/ports/${inner.id}/link`, { peerId: outer.id });
      await api.send(`POST /v1/ports/${portId}/bind`, { hostId: hosts[0], interfaceName: "eth0" });
    });
    const trace = (packet: unknown) => api.send("POST /v1/trace", { portId, packet });

    it("walks a frame that is given, on the host of its port", async () => {
      const frame = "ffffffffffff02000000000a0806";
      const reply = await api.send("POST /v1/trace", { portId, frame });
      assert.deepEqual([reply.body.verdict, reply.body.hostId, reply.body.frame], ["forward", hosts[0], frame]);
      assert.equal(asked.at(-1), `POST /trace ${JSON.stringify({ portId, frame })}`);
    });

    it("sends a described packet to the gateway when it leaves the subnet, and says what it assumed", async () => {
      const reply = await trace({ source: "10.0.0.5", destination: "10.9.0.5", protocol: 6, destinationPort: 80 });
      assert.match(reply.body.summary, /tcp/i);
      assert.deepEqual(reply.body.assumed.slice(1), [`destination MAC ${routerMac}, the gateway's, port ${gatewayId}`]);
      const bytes = Uint8Array.from(Buffer.from(reply.body.frame, "hex"));
      assert.equal(formatFrame(bytes), reply.body.summary);
      assert.deepEqual(badChecksumsOf(parseFrame(bytes)), []);
    });

    it("sends to the router's own address, to groups, and to neighbors that the network knows", async () => {
      const destination = async (packet: object): Promise<string> => (await trace(packet)).body.frame?.slice(0, 12);
      const bare = routerMac.replaceAll(":", "");
      assert.equal(await destination({ source: "10.0.0.5", destination: "10.0.0.1" }), bare);
      assert.equal(await destination({ source: "fd00::5", destination: "fd00:9::1" }), bare);
      assert.equal(await destination({ source: "10.0.0.5", destination: "224.1.2.3" }), "01005e010203");
      assert.equal(await destination({ source: "fd00::5", destination: "ff02::1" }), "333300000001");
      assert.equal(await destination({ source: "10.0.0.5", destination: "10.0.0.6", arp: "request" }), "ffffffffffff");
      const stranger = await trace({ source: "10.0.0.5", destination: "10.0.0.6" });
      assert.equal(stranger.outcome, "missing-field packet.destinationMac");
      await api.send(`POST /v1/bridges/${bridgeId}/neighbors`, { ip: "10.0.0.6", mac: "02:00:00:00:00:06" });
      assert.equal(await destination({ source: "10.0.0.5", destination: "10.0.0.6" }), "020000000006");
    });

    it("finds a neighbor that no table names by the only port that may send from its address", async () => {
      const assumed = async (destination: string): Promise<string> => {
        const reply = await trace({ source: "10.0.0.5", destination });
        return reply.outcome === "200" ? reply.body.assumed.at(-1) : reply.outcome;
      };
      const allowedMacs = ["02:00:00:00:00:07"];
      const bound = await api.make("ports", { bridgeId, allowedAddresses: ["10.0.0.7/32"], allowedMacs });
      assert.equal(await assumed("10.0.0.7"), `destination MAC 02:00:00:00:00:07, allowed at port ${bound.id}`);
      const seen = await api.make("ports", { bridgeId, allowedAddresses: ["10.0.0.8/32"] });
      assert.equal(await assumed("10.0.0.8"), "missing-field packet.destinationMac");
      await api.send(`POST /v1/bridges/${bridgeId}/fdb`, { mac: "02:00:00:00:00:08", portId: seen.id });
      assert.equal(await assumed("10.0.0.8"), `destination MAC 02:00:00:00:00:08, allowed at port ${seen.id}`);
      await api.make("ports", { bridgeId, allowedAddresses: ["10.0.0.7/32"] });
      assert.equal(await assumed("10.0.0.7"), "missing-field packet.destinationMac", "two may have it");
    });

    it("is refused when it is no packet, or nobody could walk it", async () => {
      const cases: readonly (readonly [string, unknown])[] = [
        ["missing-field packet", { portId }],
        ["bad-value packet", { portId, frame: "ff", packet: {} }],
        ["bad-frame frame", { portId, frame: "ffff" }],
        ["bad-value frame", { portId, frame: "xyz" }],
        ["missing-field packet.source", { portId, packet: { destination: "10.0.0.1" } }],
        ["missing-field packet.destination", { portId, packet: { source: "10.0.0.1" } }],
        ["bad-value packet.destination", { portId, packet: { source: "10.0.0.1", destination: "fd00::1" } }],
        ["bad-value packet.arp", { portId, packet: { source: "fd00::1", destination: "fd00::2", arp: "request" } }],
        ["unknown-field packet.colour", { portId, packet: { colour: "red" } }],
        ["not-found", { portId: idOf(9), frame: "ffff" }],
      ];
      for (const [expected, body] of cases) assert.equal((await api.send("POST /v1/trace", body)).outcome, expected);
      const loose = await api.make("ports", { bridgeId });
      assert.equal(
        (await api.send("POST /v1/trace", { portId: loose.id, frame: "ff".repeat(14) })).outcome,
        "bad-value portId",
      );
      const elsewhere = { portId, hostId: hosts[4], frame: "ff".repeat(14) };
      assert.equal((await api.send("POST /v1/trace", elsewhere)).outcome, "bad-frame frame");
    });
  });
});
