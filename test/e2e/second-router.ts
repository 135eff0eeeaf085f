import type { ApiClient } from "../../src/api-client/client.ts";
import { unwrap } from "../../src/base/result.ts";
import type { LabPlan } from "../../src/lab/plan.ts";
import type { KernelTwin } from "./kernel-twin.ts";

/** The link between the first router and the second, and what becomes of packets for the networks behind it. */
const LINK = {
  first: ["10.1.9.1/30", "fd00:1:9::1/64"],
  second: ["10.1.9.2/30", "fd00:1:9::2/64"],
} as const;
const FIRST = ["10.1.9.1", "fd00:1:9::1"] as const;
const SECOND = ["10.1.9.2", "fd00:1:9::2"] as const;
const BEHIND = ["10.2.0.0/16", "fd00:2::/32"] as const;
const TENANT_SIDE = ["10.1.0.0/16", "fd00:1::/32"] as const;
const REJECTED = ["10.2.1.0/24", "fd00:2:1::/64"] as const;
const BLACKHOLE = ["10.2.2.0/24", "fd00:2:2::/64"] as const;
const LOOP = ["10.2.4.0/24", "fd00:2:4::/64"] as const;
/** Addresses on the bridge of the first router for which its port to the bridge lets nothing out. */
const FILTERED = ["10.1.2.66", "fd00:1:2::66"] as const;

/**
 * A second router in the lab's tenant, with nothing behind it but routes: one that rejects, a blackhole, a loop, and for all else none.
 * And a filter on the first router's port to bridge `db`.
 */
export async function addSecondRouter(client: ApiClient, plan: LabPlan): Promise<void> {
  const first = plan.router.id;
  const { id: second } = unwrap(await client.create("router", { name: "r2", tenant: "lab" }));
  const [there, back] = [
    unwrap(await client.create("port", { deviceKind: "router", routerId: first, addresses: [...LINK.first] })).id,
    unwrap(await client.create("port", { deviceKind: "router", routerId: second, addresses: [...LINK.second] })).id,
  ];
  unwrap(await client.link(there, back));
  await addRoutes(client, { routerId: first, portId: there, via: SECOND }, BEHIND);
  await addRoutes(client, { routerId: second, portId: back, via: FIRST }, TENANT_SIDE);
  await addRoutes(client, { routerId: second, portId: back, via: FIRST }, LOOP);
  for (const [type, networks] of [
    ["reject", REJECTED],
    ["blackhole", BLACKHOLE],
  ] as const) {
    for (const destination of networks)
      unwrap(await client.create("route", { routerId: second, destination, nextHop: { type } }));
  }
  const chain = unwrap(await client.create("chain", { name: "silence", tenant: "lab" }));
  for (const address of FILTERED) {
    const condition = { destination: `${address}/${address.includes(":") ? 128 : 32}` };
    unwrap(await client.create("rule", { chainId: chain.id, condition, action: { type: "drop" } }));
  }
  const db = plan.bridges.find(({ name }) => name === "db");
  unwrap(await client.patch("port", db?.routerPortId ?? "", { outboundFilterId: chain.id }));
}

interface Way {
  readonly routerId: string;
  readonly portId: string;
  /** Gateways, in the order of the networks. */
  readonly via: readonly [string, string];
}

async function addRoutes(
  client: ApiClient,
  { routerId, portId, via }: Way,
  networks: readonly string[],
): Promise<void> {
  for (const [i, destination] of networks.entries()) {
    const nextHop = { type: "port", portId, gateway: via[i] ?? "" } as const;
    unwrap(await client.create("route", { routerId, destination, nextHop }));
  }
}

/** The same in the kernel's twin. Its filter is a neighbor that nobody is: what is sent there is lost where a filter would drop it. */
export function addSecondKernelRouter(twin: KernelTwin): void {
  twin.addRouter("router2");
  twin.ip("router", `link add transit type veth peer name transit netns ${twin.namespace("router2")}`);
  for (const [router, addresses] of [
    ["router", LINK.first],
    ["router2", LINK.second],
  ] as const) {
    twin.ip(router, "link set transit up");
    for (const address of addresses)
      twin.ip(router, `addr add ${address} dev transit ${address.includes(":") ? "nodad" : ""}`);
  }
  for (const i of [0, 1] as const) {
    const family = i === 0 ? "" : "-6 ";
    twin.ip("router", `${family}route add ${BEHIND[i]} via ${SECOND[i]}`);
    twin.ip("router2", `${family}route add ${TENANT_SIDE[i]} via ${FIRST[i]}`);
    twin.ip("router2", `${family}route add ${LOOP[i]} via ${FIRST[i]}`);
    twin.ip("router2", `${family}route add prohibit ${REJECTED[i]}`);
    twin.ip("router2", `${family}route add blackhole ${BLACKHOLE[i]}`);
    twin.ip("router", `${family}neigh add ${FILTERED[i]} lladdr 02:00:00:00:66:66 dev db nud permanent`);
  }
}
