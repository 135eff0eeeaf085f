import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idOf } from "../model/testdata/topology.ts";
import { ApiFixture } from "./testdata/fixture.ts";

describe("ports", () => {
  let api: ApiFixture;
  let bridgeId: string;
  let routerId: string;
  let hostId: string;
  before(async () => {
    api = await new ApiFixture().open();
    bridgeId = (await api.make("bridges", { name: "net" })).id;
    routerId = (await api.make("routers", { name: "edge" })).id;
    hostId = (await api.make("hosts", { name: "host1" })).id;
  });
  after(() => api.close());

  const bind = (portId: string, interfaceName: string) =>
    api.send(`POST /v1/ports/${portId}/bind`, { hostId, interfaceName });
  const act = (portId: string, action: string, body?: unknown) => api.send(`POST /v1/ports/${portId}/${action}`, body);

  it("belong to the tenant of their device unless they say otherwise", async () => {
    const { id } = await api.make("bridges", { name: "blue", tenant: "blue" });
    assert.equal((await api.make("ports", { bridgeId: id })).tenant, "blue");
    assert.equal((await api.make("ports", { bridgeId: id, tenant: "red" })).tenant, "red");
  });

  it("are bound once, to an interface of their own, with a generation that grows", async () => {
    const port = await api.make("ports", { bridgeId });
    const first = await bind(port.id, "eth0");
    assert.deepEqual([first.body.state, first.body.isActive], ["bound", false]);
    assert.deepEqual((await bind(port.id, "eth0")).body.binding, first.body.binding);
    assert.equal((await bind(port.id, "eth1")).outcome, "already-bound");
    const other = await api.make("ports", { bridgeId });
    assert.equal((await bind(other.id, "eth0")).outcome, "interface-taken binding.interfaceName");
    assert.equal((await bind(other.id, "eth/0")).outcome, "bad-value interfaceName");
    assert.equal(
      (await act(other.id, "bind", { hostId: idOf(404), interfaceName: "eth9" })).outcome,
      "dangling-reference binding.hostId",
    );
    assert.equal((await act(other.id, "bind", {})).outcome, "missing-field hostId");
    assert.equal((await act(port.id, "unbind")).body.state, "unplugged");
    assert.equal((await act(port.id, "unbind")).status, 200);
    const second = await bind(port.id, "eth1");
    assert.ok(second.body.binding.generation >= first.body.binding.generation);
    assert.deepEqual((await api.send(`GET /v1/hosts/${hostId}`)).body.portIds, [port.id]);
  });

  it("show that their host forwards for this very binding", async () => {
    const port = await api.make("ports", { bridgeId });
    const { binding } = (await bind(port.id, "eth7")).body;
    const shown = async (): Promise<unknown> => (await api.send(`GET /v1/ports/${port.id}`)).body.isActive;
    await api.active(port.id, { hostId, tunnelKey: 5, generation: binding.generation - 1 });
    assert.equal(await shown(), false);
    await api.active(port.id, { hostId, tunnelKey: 5, generation: binding.generation });
    assert.equal(await shown(), true);
  });

  it("are linked at both ends, and both ends come apart", async () => {
    const [a, b, c] = [
      await api.make("ports", { bridgeId }),
      await api.make("ports", { routerId }),
      await api.make("ports", { routerId }),
    ];
    const linked = await act(a.id, "link", { peerId: b.id });
    assert.deepEqual([linked.body.state, linked.body.peerId], ["linked", b.id]);
    assert.equal((await api.send(`GET /v1/ports/${b.id}`)).body.peerId, a.id);
    assert.equal((await act(a.id, "link", { peerId: b.id })).status, 200);
    assert.equal((await act(a.id, "link", { peerId: c.id })).outcome, "already-linked");
    const d = await api.make("ports", { bridgeId });
    assert.equal((await act(d.id, "link", { peerId: b.id })).outcome, "peer-taken peerId");
    assert.equal((await act(d.id, "link", { peerId: a.id })).outcome, "peer-taken peerId");
    assert.equal((await act(d.id, "link", { peerId: d.id })).outcome, "bad-value peerId");
    assert.equal((await act(b.id, "unlink")).body.state, "unplugged");
    assert.equal((await api.send(`GET /v1/ports/${a.id}`)).body.state, "unplugged");
  });

  it("are linked or bound, never both", async () => {
    const [a, b] = [await api.make("ports", { bridgeId }), await api.make("ports", { routerId })];
    await bind(a.id, "eth5");
    assert.equal((await act(a.id, "link", { peerId: b.id })).outcome, "linked-and-bound peerId");
    assert.equal((await act(b.id, "link", { peerId: a.id })).outcome, "peer-taken peerId");
    await act(a.id, "unbind");
    await act(a.id, "link", { peerId: b.id });
    assert.equal((await bind(a.id, "eth5")).outcome, "linked-and-bound binding");
  });

  it("go with their device, and their links with them", async () => {
    const { id } = await api.make("bridges", { name: "short" });
    const [a, b] = [await api.make("ports", { bridgeId: id }), await api.make("ports", { routerId })];
    await act(a.id, "link", { peerId: b.id });
    await api.send(`DELETE /v1/bridges/${id}`);
    assert.equal((await api.send(`GET /v1/ports/${a.id}`)).outcome, "not-found");
    assert.equal((await api.send(`GET /v1/ports/${b.id}`)).body.state, "unplugged");
  });

  it("of a tunnel zone's hosts come and go one by one", async () => {
    const zone = await api.make("tunnel-zones", { name: "zone" });
    const members = `/v1/tunnel-zones/${zone.id}/members`;
    await api.send(`POST ${members}`, { hostId, address: "192.0.2.1" });
    const changed = await api.send(`POST ${members}`, { hostId, address: "2001:DB8::1" });
    assert.deepEqual(changed.body.members, [{ hostId, address: "2001:db8::1" }]);
    assert.deepEqual((await api.send(`GET /v1/hosts/${hostId}`)).body.tunnelZoneIds, [zone.id]);
    assert.equal(
      (await api.send(`POST ${members}`, { hostId, address: "224.0.0.1" })).outcome,
      "bad-value members[0].address",
    );
    assert.deepEqual((await api.send(`DELETE ${members}/${hostId}`)).body.members, []);
  });

  it("of a host that lives are safe from its deletion", async () => {
    const { id } = await api.make("hosts", { name: "busy" });
    await api.alive(id, "unix:/nowhere");
    assert.equal((await api.send(`GET /v1/hosts/${id}`)).body.isAlive, true);
    assert.equal((await api.send(`DELETE /v1/hosts/${id}`)).outcome, "host-alive");
  });
});

describe("tables of devices", () => {
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture().open();
  });
  after(() => api.close());

  it("hold MAC addresses that a client configures", async () => {
    const bridge = await api.make("bridges", { name: "net" });
    const port = await api.make("ports", { bridgeId: bridge.id });
    const path = `/v1/bridges/${bridge.id}/fdb`;
    const added = await api.send(`POST ${path}`, { mac: "02-00-00-00-00-0A", portId: port.id, vlan: 7 });
    assert.deepEqual(added.body, { mac: "02:00:00:00:00:0a", vlan: 7, portId: port.id, origin: "configured" });
    assert.deepEqual((await api.send(`GET ${path}`)).body.items, [added.body]);
    assert.equal(
      (await api.send(`POST ${path}`, { mac: "02:00:00:00:00:01", portId: idOf(9) })).outcome,
      "dangling-reference portId",
    );
    assert.equal((await api.send(`DELETE ${path}/02:00:00:00:00:0a?vlan=x`)).outcome, "bad-query vlan");
    assert.equal((await api.send(`DELETE ${path}/nonsense`)).outcome, "bad-value mac");
    assert.equal((await api.send(`DELETE ${path}/02:00:00:00:00:0A?vlan=7`)).status, 204);
    assert.deepEqual((await api.send(`GET ${path}`)).body.items, []);
    assert.equal((await api.send(`GET /v1/bridges/${idOf(9)}/fdb`)).outcome, "not-found");
  });

  it("hold neighbors of routers and of bridges", async () => {
    for (const plural of ["routers", "bridges"]) {
      const device = await api.make(plural, { name: "device" });
      const path = `/v1/${plural}/${device.id}/neighbors`;
      const added = await api.send(`POST ${path}`, { ip: "FD00:0::1", mac: "02:00:00:00:00:01" });
      assert.deepEqual([added.status, added.body.ip], [201, "fd00::1"]);
      assert.deepEqual((await api.send(`GET ${path}`)).body.items, [
        { ip: "fd00::1", mac: "02:00:00:00:00:01", origin: "configured" },
      ]);
      assert.equal((await api.send(`DELETE ${path}/nowhere`)).outcome, "bad-value ip");
      assert.equal((await api.send(`DELETE ${path}/fd00::1`)).status, 204);
      assert.deepEqual((await api.send(`GET ${path}`)).body.items, []);
    }
  });
});
