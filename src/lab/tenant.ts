import { type ApiClient, formatClientError, type Outcome } from "../api-client/client.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { LabPlan } from "./plan.ts";
import { SUBNET_LENGTH } from "./plan.ts";

/** Tenant that owns the lab's devices. */
const TENANT = "lab";

/** Creates bridges, router and their ports: what needs no host. Repeating it is harmless. */
export async function createDevices(client: ApiClient, plan: LabPlan): Promise<Result<undefined, string>> {
  return inRounds([() => deviceRequests(client, plan), () => portRequests(client, plan)]);
}

/** Joins the hosts by a tunnel zone, the bridges to the router, and the VMs to their bridges. The hosts must be known. */
export async function createTenant(client: ApiClient, plan: LabPlan): Promise<Result<undefined, string>> {
  return inRounds([() => joinRequests(client, plan)]);
}

/** The VMs whose ports are not forwarded for yet. */
export async function inactiveVms(client: ApiClient, plan: LabPlan): Promise<Result<readonly string[], string>> {
  const ports = await client.listAll("port", { tenant: TENANT });
  if (!ports.ok) return err(formatClientError(ports.error));
  const active = new Set(ports.value.filter((port) => port.isActive === true).map((port) => port.id));
  return ok(plan.vms.filter((vm) => !active.has(vm.portId)).map((vm) => vm.name));
}

type Requests = readonly Outcome<unknown>[];

/** Requests of one round do not need each other. */
async function inRounds(rounds: readonly (() => Requests)[]): Promise<Result<undefined, string>> {
  for (const round of rounds) {
    const outcomes = await Promise.all(round());
    for (const outcome of outcomes) if (!outcome.ok) return err(formatClientError(outcome.error));
  }
  return ok(undefined);
}

function deviceRequests(client: ApiClient, plan: LabPlan): Requests {
  return [
    ...plan.bridges.map(({ id, name }) => client.create("bridge", { id, name, tenant: TENANT })),
    client.create("router", { id: plan.router.id, name: plan.router.name, tenant: TENANT }),
  ];
}

function portRequests(client: ApiClient, plan: LabPlan): Requests {
  const bridgeId = (name: string): string => plan.bridges.find((bridge) => bridge.name === name)?.id ?? "";
  return [
    ...plan.vms.map((vm) =>
      client.create("port", { id: vm.portId, name: vm.name, deviceKind: "bridge", bridgeId: bridgeId(vm.bridgeName) }),
    ),
    ...plan.bridges.flatMap((bridge) => [
      client.create("port", {
        id: bridge.bridgePortId,
        name: `${bridge.name}-${plan.router.name}`,
        deviceKind: "bridge",
        bridgeId: bridge.id,
      }),
      client.create("port", {
        id: bridge.routerPortId,
        name: `${plan.router.name}-${bridge.name}`,
        deviceKind: "router",
        routerId: plan.router.id,
        addresses: [`${bridge.v4Gateway}/${SUBNET_LENGTH.v4}`, `${bridge.v6Gateway}/${SUBNET_LENGTH.v6}`],
        mtu: plan.vmMtu,
      }),
    ]),
  ];
}

function joinRequests(client: ApiClient, plan: LabPlan): Requests {
  const hostId = (name: string): string => plan.hosts.find((host) => host.name === name)?.id ?? "";
  const members = plan.hosts.map(({ id, underlay }) => ({ hostId: id, address: underlay }));
  return [
    client.create("tunnel-zone", { ...plan.zone, members }),
    ...plan.bridges.map((bridge) => client.link(bridge.bridgePortId, bridge.routerPortId)),
    ...plan.vms.map((vm) => client.bind(vm.portId, { hostId: hostId(vm.hostName), interfaceName: vm.name })),
  ];
}
