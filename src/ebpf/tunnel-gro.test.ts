import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link } from "../linux/netlink/route/link.ts";
import { sourcesOf } from "./tunnel-gro.ts";

function link(ifindex: number, name: string, more: Partial<Link> = {}): Link {
  return { ...plain, ifindex, name, ...more };
}

const plain: Link = {
  ifindex: 0,
  name: "",
  hardwareType: 1,
  flags: 1,
  mac: undefined,
  mtu: 1500,
  operState: "up",
  hasCarrier: true,
  masterIfindex: undefined,
  peerIfindex: undefined,
  peerNetnsId: undefined,
  kind: undefined,
  stats: undefined,
};

const eth0 = link(1, "eth0", { masterIfindex: 3 });
const eth1 = link(2, "eth1", { masterIfindex: 3 });
const bond0 = link(3, "bond0", { kind: "bond" });
const vlan = link(4, "bond0.7", { kind: "vlan", peerIfindex: 3 });
const eth2 = link(5, "eth2");
const veth = link(6, "veth0", { kind: "veth", peerIfindex: 1 });
const moved = link(7, "macvlan0", { kind: "macvlan", peerIfindex: 5, peerNetnsId: 2 });
const links = [eth0, eth1, bond0, vlan, eth2, veth, moved];

const cases: readonly (readonly [string, Link, readonly Link[]])[] = [
  ["a network card by itself", eth2, [eth2]],
  ["a bond by its members", bond0, [eth0, eth1]],
  ["a VLAN of a bond by the bond's members", vlan, [eth0, eth1]],
  ["a veth by itself, whatever is at its other end", veth, [veth]],
  ["a device whose lower one is in another namespace by itself", moved, [moved]],
];

for (const [what, of, expected] of cases) {
  test(`frames arrive for ${what}`, () => assert.deepEqual(sourcesOf(of.ifindex, links), expected));
}

test("frames arrive by nothing for a bond without members, one that is its own member, or no interface", () => {
  assert.deepEqual(sourcesOf(3, [bond0]), []);
  assert.deepEqual(sourcesOf(3, [{ ...bond0, masterIfindex: 3 }]), []);
  assert.deepEqual(sourcesOf(9, links), []);
});
