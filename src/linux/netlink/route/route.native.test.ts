import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { ok, type Result, unwrap } from "../../../base/result.ts";
import { systemScheduler } from "../../../base/scheduler.ts";
import type { LinuxError } from "../../errno.ts";
import { closeFd } from "../../fd.ts";
import { testNamespace } from "../../fixture/namespace.ts";
import { allocate, checked, libc } from "../../libc.ts";
import { openSocket, socketFamily, socketType } from "../../socket.ts";
import { RequestBroker } from "../broker.ts";
import { netlinkFlags, netlinkProtocol } from "../protocol.ts";
import { NetlinkSocket } from "../socket.ts";
import { addAddress, deleteAddress, listAddresses } from "./address.ts";
import { createBridge, createFixedVxlan, createVeth, createVxlan, vxlanMtuMax } from "./create-link.ts";
import { changeLink, deleteLink, getLink, isAdminUp, listLinks } from "./link.ts";
import { addNeighbor, deleteNeighbor, listNeighbors, neighborState } from "./neighbor.ts";
import { addRoute, deleteRoute, listRoutes } from "./route.ts";

const space = testNamespace();
const far = testNamespace();
const port = unwrap(space.netns.runResult(() => NetlinkSocket.open({ protocol: netlinkProtocol.route })));
const broker = new RequestBroker({ port, scheduler: systemScheduler });
after(() => broker.close());
const { run } = { run: broker.run.bind(broker) };
const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
const ip4 = (last: number): Uint8Array => Uint8Array.of(10, 1, 2, last);
const ip6 = (last: number): Uint8Array => Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last);

function shell(...command: readonly string[]): string {
  const [program = "", ...rest] = command;
  return spawnSync("nsenter", [`--net=/run/netns/${space.name}`, program, ...rest]).stdout.toString();
}

function bindUdp(port: number): Result<number, LinuxError> {
  const fd = unwrap(openSocket({ family: socketFamily.inet, type: socketType.datagram, protocol: 17 }));
  const address = allocate(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, socketFamily.inet, true);
  view.setUint16(2, port, false);
  const bound = checked("bind", libc().bind(fd, address, address.length));
  return bound.ok ? ok(fd) : bound;
}

function countByIproute2(): readonly number[] {
  const commands = ["-o link", "-o addr", "-4 route show table all", "-6 route show table all", "-4 neigh", "-6 neigh"];
  return commands.map(
    (command) =>
      shell("ip", ...command.split(" "))
        .split("\n")
        .filter(Boolean).length,
  );
}

test("a link is made, found, changed, renamed, moved and deleted", async () => {
  unwrap(
    await run(createVeth({ link: { name: "l0", mac, mtu: 1400, ifindex: 4000 }, peer: { name: "l1", queues: 2 } })),
  );
  const link = unwrap(await run(getLink({ name: "l0" })));
  assert.ok(link !== undefined);
  assert.deepEqual([link.ifindex, link.mtu, link.kind, isAdminUp(link)], [4000, 1400, "veth", false]);
  assert.deepEqual(link.mac, mac);
  assert.equal(unwrap(await run(getLink({ ifindex: link.peerIfindex ?? 0 })))?.name, "l1");
  unwrap(await run(changeLink({ ifindex: 4000 }, { newName: "renamed", mtu: 9000, usesArp: false, alias: "vport 7" })));
  unwrap(await run(changeLink({ name: "renamed" }, { isUp: true })));
  const changed = unwrap(await run(getLink({ name: "renamed" })));
  assert.deepEqual([changed?.mtu, changed && isAdminUp(changed)], [9000, true]);
  assert.match(shell("ip", "link", "show", "renamed"), /NOARP.*\n.*\n.*alias vport 7/);
  unwrap(await run(changeLink({ name: "l1" }, { netnsFd: far.netns.fd })));
  assert.ok(far.ifindex("l1") > 0);
  assert.notEqual(unwrap(await run(getLink({ name: "renamed" })))?.peerNetnsId, undefined);
  unwrap(await run(deleteLink({ name: "renamed" })));
  assert.ok(!far.connection.run(getLink({ name: "l1" })).ok);
});

test("both ends of a veth are made where they belong in one request", async () => {
  unwrap(await run(createVeth({ link: { name: "n0" }, peer: { name: "n1", netnsFd: far.netns.fd, mac } })));
  assert.deepEqual(unwrap(far.connection.run(getLink({ name: "n1" })))?.mac, mac);
  unwrap(await run(deleteLink({ name: "n0" })));
});

test("a bridge takes ports and lets them go", async () => {
  unwrap(await run(createBridge({ name: "br0", isUp: true })));
  unwrap(await run(createVeth({ link: { name: "b0" }, peer: { name: "b1" } })));
  const bridge = space.ifindex("br0");
  unwrap(await run(changeLink({ name: "b0" }, { masterIfindex: bridge })));
  assert.equal(unwrap(await run(getLink({ name: "b0" })))?.masterIfindex, bridge);
  assert.match(shell("ip", "-d", "link", "show", "br0"), /bridge forward_delay 0 .*stp_state 0 .*mcast_snooping 0/s);
  unwrap(await run(changeLink({ name: "b0" }, { masterIfindex: 0 })));
  assert.equal(unwrap(await run(getLink({ name: "b0" })))?.masterIfindex, undefined);
  unwrap(await run(deleteLink({ name: "b0" })));
  unwrap(await run(deleteLink({ name: "br0" })));
});

test("a metadata VXLAN device is as iproute2 would make it, and shares no port", async () => {
  unwrap(await run(createVxlan({ name: "vx0", port: 6677, sourcePorts: { from: 49152, to: 65535 }, isUp: true })));
  const shown = shell("ip", "-d", "link", "show", "vx0");
  assert.match(shown, /vxlan external id 0 srcport 49152 65535 dstport 6677 nolearning/);
  assert.match(shown, /udp6zerocsumtx udp6zerocsumrx/);
  assert.equal(unwrap(await run(getLink({ name: "vx0" })))?.mtu, vxlanMtuMax);
  const second = await run(createVxlan({ name: "vx1", port: 6677 }));
  assert.ok(!second.ok);
  assert.equal(second.error.errno, "EEXIST");
  const taken = unwrap(space.netns.runResult(() => bindUdp(7000)));
  const late = await run(createVxlan({ name: "vx3", port: 7000, isUp: true }));
  assert.ok(!late.ok);
  assert.equal(late.error.errno, "EADDRINUSE");
  assert.ok(!(await run(getLink({ name: "vx3" }))).ok);
  unwrap(closeFd(taken));
  const fixed = { name: "vx2", port: 4789, vni: 42, local: ip4(1), remote: ip4(2) };
  unwrap(await run(createFixedVxlan(fixed)));
  assert.match(shell("ip", "-d", "link", "show", "vx2"), /vxlan id 42 remote 10.1.2.2 local 10.1.2.1 .*dstport 4789/);
  for (const name of ["vx0", "vx2"]) unwrap(await run(deleteLink({ name })));
});

test("links, addresses, routes and neighbors are as many as iproute2 counts", async () => {
  unwrap(await run(createVeth({ link: { name: "c0" }, peer: { name: "c1" } })));
  for (const name of ["lo", "c0", "c1"]) unwrap(await run(changeLink({ name }, { isUp: true })));
  const ifindex = space.ifindex("c0");
  for (const [address, prefixLength] of [
    [ip4(1), 24],
    [ip6(1), 64],
  ] as const) {
    unwrap(await run(addAddress({ ifindex, address, prefixLength })));
  }
  unwrap(await run(addRoute({ destination: new Uint8Array(4), prefixLength: 0, gateway: ip4(254), metric: 5 })));
  unwrap(await run(addRoute({ destination: Uint8Array.of(10, 9, 0, 0), prefixLength: 16, ifindex })));
  unwrap(await run(addRoute({ destination: new Uint8Array(16), prefixLength: 0, gateway: ip6(254), ifindex })));
  for (const address of [ip4(7), ip6(7)]) unwrap(await run(addNeighbor({ ifindex, address, mac })));
  const known = (state: number): boolean => state !== neighborState.noArp;
  const count = async (): Promise<readonly number[]> => [
    unwrap(await run(listLinks())).length,
    unwrap(await run(listAddresses())).length,
    unwrap(await run(listRoutes("ipv4"))).length,
    unwrap(await run(listRoutes("ipv6"))).length,
    unwrap(await run(listNeighbors("ipv4"))).filter(({ state }) => known(state)).length,
    unwrap(await run(listNeighbors("ipv6"))).filter(({ state }) => known(state)).length,
  ];
  // The kernel goes on configuring IPv6 by itself for a while: only a reading between two equal ones counts.
  let before = countByIproute2();
  let ours = await count();
  for (let after = countByIproute2(); `${before}` !== `${after}`; after = countByIproute2()) {
    before = after;
    ours = await count();
  }
  assert.deepEqual(ours, before);
});

test("addresses, routes and neighbors read back as written, and go", async () => {
  const ifindex = space.ifindex("c0");
  const ours = unwrap(await run(listAddresses(ifindex)));
  assert.ok(ours.every((one) => one.ifindex === ifindex));
  assert.ok(ours.some((one) => one.prefixLength === 24 && `${one.address}` === `${ip4(1)}` && !one.isTentative));
  assert.match(shell("ip", "addr", "show", "c0"), /inet 10.1.2.1\/24 brd 10.1.2.255/);
  const route = unwrap(await run(listRoutes("ipv4"))).find((one) => one.metric === 5);
  assert.deepEqual([route?.destination, route?.prefixLength, route?.gateway], [undefined, 0, ip4(254)]);
  const neighbor = unwrap(await run(listNeighbors("ipv6"))).find((one) => `${one.address}` === `${ip6(7)}`);
  assert.deepEqual(neighbor, { ifindex, address: ip6(7), mac, state: neighborState.permanent });
  unwrap(await run(deleteNeighbor({ ifindex, address: ip6(7) })));
  unwrap(await run(deleteRoute({ destination: new Uint8Array(4), prefixLength: 0, gateway: ip4(254), metric: 5 })));
  unwrap(await run(deleteAddress({ ifindex, address: ip4(1), prefixLength: 24 })));
  const again = await run(deleteAddress({ ifindex, address: ip4(1), prefixLength: 24 }));
  assert.ok(!again.ok);
  assert.equal(again.error.errno, "EADDRNOTAVAIL");
  assert.equal(
    unwrap(await run(listRoutes("ipv4"))).find((one) => one.metric === 5),
    undefined,
  );
});

test("the kernel's own words are in the sentence", async () => {
  const refused = await run(changeLink({ name: "c0" }, { mtu: 10 }));
  assert.ok(!refused.ok);
  assert.equal(
    refused.error.text,
    "change the link c0 failed: EINVAL (invalid argument): mtu less than device minimum",
  );
});

test("hundreds of requests at once are answered, each to its own asker, and optimistic ones take effect", async () => {
  const names = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? "absent" : i % 3 === 1 ? "c0" : "c1"));
  const found = await Promise.all(names.map((name) => run(getLink({ name }))));
  for (const [i, result] of found.entries()) {
    assert.equal(result.ok ? result.value?.name : result.error.errno, names[i] === "absent" ? "ENODEV" : names[i]);
  }
  const ifindex = space.ifindex("c0");
  const before = unwrap(await run(listNeighbors("ipv4"))).length;
  for (let i = 100; i < 200; i++) unwrap(broker.sendOptimistic(addNeighbor({ ifindex, address: ip4(i), mac })));
  const exclusive = {
    ...addNeighbor({ ifindex, address: ip4(150), mac }),
    flags: netlinkFlags.create | netlinkFlags.exclusive,
  };
  unwrap(broker.sendOptimistic(exclusive));
  broker.flush();
  assert.equal(unwrap(await run(listNeighbors("ipv4"))).length, before + 100);
  assert.equal(broker.counters.get("netlink_optimistic_errors"), 1);
  assert.equal(broker.counters.get("netlink_overruns"), 0);
  assert.equal(broker.outstanding, 0);
});
