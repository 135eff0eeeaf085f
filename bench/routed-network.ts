import type { Space } from "../src/lab/namespaces.ts";
import { Load } from "./load/load.ts";
import { answered, type PluggedVm, type WeftCloud } from "./weft-cloud.ts";

/** MAC of the router on the side of the sender. */
export const ROUTER_MAC = "02:00:00:00:01:fe";
/** Address of the first VM that receives; the others follow. */
export const FIRST_TARGET = "10.2.0.10";
const FIRST_TARGET_NUMBER = 10;
const SENDER_MAC = "02:00:00:00:01:01";

/** One bridge with a VM that sends, a router, another bridge with VMs that receive: what the figures of flows walk through. */
export interface RoutedNetwork {
  /** The bridge of the receivers. */
  readonly bridgeId: string;
  readonly sender: Load;
  /** Interface by which the sender sends. */
  readonly senderIface: string;
  /** The namespace in which all receivers are, and their interfaces by number. */
  readonly receivers: Space;
  readonly receiverIfaces: readonly string[];
  /** Last rule of each receiver's own outbound filter. */
  readonly rules: readonly string[];
}

/**
 * Builds it on the first host. Sender and receivers have filters of ten rules that read ports. What would otherwise be learned from
 * traffic (where a MAC is, whose an address is) is configured, because the receivers never say anything.
 */
export async function buildRoutedNetwork(cloud: WeftCloud, receivers: number): Promise<RoutedNetwork> {
  const host = cloud.host(0);
  const [left, right] = [await cloud.bridge("left"), await cloud.bridge("right")];
  const { id: routerId } = await answered(cloud.api.create("router", { name: "router", tenant: "bench" }));
  await cloud.link(left, { routerId, mac: ROUTER_MAC, addresses: ["10.1.0.1/16"], mtu: 1450 });
  await cloud.link(right, { routerId, addresses: ["10.2.0.1/16"], mtu: 1450 });
  const inbound = await cloud.filter("from-sender", "ports");
  const names = Array.from({ length: receivers }, (_, i) => `t${i}`);
  const outbound = await Promise.all(names.map((name) => cloud.filter(`to-${name}`, "ports")));
  const sender = { name: "s", host, bridgeId: left, mac: SENDER_MAC, inboundFilterId: inbound.id };
  const targets = names.map((name, i) => ({
    ...{ name, host, bridgeId: right, mac: targetMac(i), space: "receivers" },
    outboundFilterId: outbound[i]?.id ?? "",
  }));
  const [near, ...far] = (await cloud.plug([sender, ...targets])) as [PluggedVm, ...PluggedVm[]];
  for (const [i, { portId }] of far.entries()) {
    await answered(cloud.api.addFdbEntry(right, { mac: targetMac(i), portId }));
    await answered(cloud.api.addNeighbor("router", routerId, { ip: targetAddress(i), mac: targetMac(i) }));
  }
  return {
    bridgeId: right,
    sender: new Load(cloud.site, near.space),
    senderIface: near.iface,
    receivers: cloud.site.space("receivers"),
    receiverIfaces: far.map(({ iface }) => iface),
    rules: outbound.map(({ lastRuleId }) => lastRuleId),
  };
}

function targetMac(number: number): string {
  return `02:00:00:00:02:${(FIRST_TARGET_NUMBER + number).toString(16).padStart(2, "0")}`;
}

function targetAddress(number: number): string {
  return `10.2.0.${FIRST_TARGET_NUMBER + number}`;
}
