import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../addr/ip.ts";
import { parsePrefix, prefixContains } from "../addr/prefix.ts";
import { unwrap } from "../base/result.ts";
import { canonicalText } from "../model/schema/formats.ts";
import { bridgeOf, planLab, SUBNET_LENGTH, vmOf } from "./plan.ts";

const plan = planLab("3f2a");

test("the same id gives the same plan, another id other objects", () => {
  assert.deepEqual(planLab("3f2a"), plan);
  const ids = (lab: typeof plan): string[] => [...lab.hosts, ...lab.bridges, lab.router, lab.zone].map(({ id }) => id);
  assert.equal(new Set([...ids(plan), ...ids(planLab("3f2b"))]).size, 2 * ids(plan).length);
});

test("every id is a UUID as the store wants it", () => {
  const ids = [plan.zone, plan.router, ...plan.hosts, ...plan.bridges].map(({ id }) => id);
  ids.push(...plan.vms.map(({ portId }) => portId));
  ids.push(...plan.bridges.flatMap(({ bridgePortId, routerPortId }) => [bridgePortId, routerPortId]));
  for (const id of ids) assert.equal(canonicalText("uuid", id), id);
  assert.equal(new Set(ids).size, ids.length);
});

test("each bridge has a VM on each host", () => {
  for (const { name } of plan.bridges) {
    const hosts = plan.vms.filter((vm) => vm.bridgeName === name).map((vm) => vm.hostName);
    assert.deepEqual(hosts.sort(), ["h1", "h2"]);
  }
});

test("a VM and its gateways are in its bridge's subnets", () => {
  for (const vm of plan.vms) {
    const bridge = bridgeOf(plan, vm);
    const v4 = unwrap(parsePrefix(`${bridge.v4Gateway}/${SUBNET_LENGTH.v4}`));
    const v6 = unwrap(parsePrefix(`${bridge.v6Gateway}/${SUBNET_LENGTH.v6}`));
    assert.ok(prefixContains(v4, unwrap(parseIp(vm.v4))), vm.v4);
    assert.ok(prefixContains(v6, unwrap(parseIp(vm.v6))), vm.v6);
  }
});

test("names of interfaces and namespaces are short enough for Linux", () => {
  for (const { name } of plan.vms) assert.ok(name.length <= 15);
  assert.equal(vmOf(plan, "vm4").namespace, "weft-3f2a-vm4");
  assert.throws(() => vmOf(plan, "vm5"), /no VM vm5/);
});
