import { isV4 } from "../../addr/ip.ts";
import { formatMac } from "../../addr/mac.ts";
import type {
  Bridge,
  Chain,
  Condition,
  MacMatch,
  NextHop,
  Port,
  Route,
  Router,
  Rule,
  RuleAction,
  TopologyObject,
} from "../../model/objects.ts";
import type { WorldChange } from "../world-change.ts";
import { ipOf, macOf, type ScriptLine } from "./script-text.ts";

const TENANT = "t";
const HOST = "h1";

/**
 * The topology commands of a walk script. Names are ids. What one command changes, back-references included, waits in
 * `takeChanges` until the next packet.
 *
 *     bridge br1 [down] [in=CHAIN] [out=CHAIN]            router r1 [down] [in=] [out=]
 *     port p1 br1 [vlan=N] [macs=MAC,..] [ips=PREFIX,..] [external] [peer=PORT] [unplugged] [inactive] [remote] [down] [in=] [out=]
 *     port p2 r1 mac=02:1 ip=10.0.0.1/24,fd00::1/64 [mtu=1500] [peer=PORT] ...
 *     route n r1 10.0.0.0/8 port=p2 [via=10.0.0.9] | blackhole | reject | local   [weight=N] [from=PREFIX]
 *     chain f1        rule n f1 accept|drop|reject|return|jump=CHAIN [not] [frag=whole] [in=p1] [!proto=6] ...
 *     fdb br1 02:2 p2 [vlan=N]     address br1 10.0.0.9 02:9     neighbor r1 10.0.0.9 02:9 [age=MS]
 *     zone z 192.0.2.1,192.0.2.2                         tunnel zone with these hosts
 *     placement p1 active|inactive|remote|none          absent NAME       hide NAME      show NAME
 *
 * A port is bound on this host and active unless it says otherwise. `none` removes an entry. An object that is hidden
 * before it is declared reaches the world when it is shown.
 */
export class ScriptTopology {
  readonly #objects = new Map<string, TopologyObject>();
  readonly #hidden = new Set<string>();
  #changes: WorldChange[] = [];
  #vports = 0;

  /** Runs a line if it is a topology command. */
  run(command: string, line: ScriptLine, wall: number): boolean {
    switch (command) {
      case "bridge":
      case "router":
        this.#device(command, line);
        return true;
      case "port":
        this.#port(line);
        return true;
      case "route":
        this.#route(line);
        return true;
      case "chain":
        this.#put(chainOf(line.next("name")));
        return true;
      case "rule":
        this.#rule(line);
        return true;
      case "zone":
        this.#put(zoneOf(line));
        return true;
      case "placement":
        this.#place(line.next("port"), line.next("active, inactive, remote or none"));
        return true;
      case "absent":
        this.#absent(line.next("name"));
        return true;
      case "unknown":
        this.#changes.push({ kind: "unknown", id: line.next("name") });
        return true;
      case "hide":
        this.#hidden.add(line.next("name"));
        return true;
      case "show":
        this.#show(line.next("name"));
        return true;
      default:
        return this.#table(command, line, wall);
    }
  }

  /** The changes since the last call. */
  takeChanges(): readonly WorldChange[] {
    const changes = this.#changes.filter((change) => change.kind !== "object" || !this.#hidden.has(change.object.id));
    this.#changes = [];
    return changes;
  }

  #table(command: string, line: ScriptLine, wall: number): boolean {
    if (command === "fdb") {
      const [bridgeId, mac, port] = [line.next("bridge"), macOf(line.next("MAC")), line.next("port or none")];
      const portId = port === "none" ? undefined : port;
      this.#changes.push({ kind: "fdb", bridgeId, vlan: line.number("vlan") ?? 0, mac, portId });
      return true;
    }
    if (command !== "address" && command !== "neighbor") return false;
    const [owner, ip, text] = [line.next("owner"), ipOf(line.next("address")), line.next("MAC or none")];
    const mac = text === "none" ? undefined : macOf(text);
    if (command === "address") {
      this.#changes.push({ kind: "bridge-neighbor", bridgeId: owner, ip, mac });
      return true;
    }
    const born = wall - (line.number("age") ?? 0);
    const entry = mac === undefined ? undefined : { mac, staleAt: born + 1_800_000, expiresAt: born + 3_600_000 };
    this.#changes.push({ kind: "router-neighbor", routerId: owner, ip, entry });
    return true;
  }

  #device(kind: "bridge" | "router", line: ScriptLine): void {
    const id = line.next("name");
    const before = this.#objects.get(id);
    const filters = filtersOf(line);
    const base = { id, tenant: TENANT, name: id, isUp: !line.flag("down"), ...filters };
    const portIds = before !== undefined && "portIds" in before ? before.portIds : [];
    const routeIds = before?.kind === "router" ? before.routeIds : [];
    this.#put(kind === "bridge" ? { kind, ...base, portIds } : { kind, ...base, portIds, routeIds });
  }

  #port(line: ScriptLine): void {
    const id = line.next("name");
    const device = this.#objects.get(line.next("device"));
    if (device?.kind !== "bridge" && device?.kind !== "router") throw new Error(`${line.text}: no such device`);
    const peerId = line.option("peer");
    const isUnplugged = line.flag("unplugged");
    const isBound = peerId === undefined && !isUnplugged;
    const binding = { hostId: HOST, interfaceName: `veth-${id}`, generation: 1 };
    const base = {
      kind: "port" as const,
      id,
      tenant: TENANT,
      name: id,
      isUp: !line.flag("down"),
      ...filtersOf(line),
      ...(peerId === undefined ? {} : { peerId }),
      ...(isBound ? { binding } : {}),
    };
    if (isBound) this.#place(id, line.flag("inactive") ? "inactive" : line.flag("remote") ? "remote" : "active");
    const port = device.kind === "bridge" ? bridgePort(base, device, line) : routerPort(base, device, line);
    this.#put(port);
    if (!device.portIds.includes(id)) this.#put({ ...device, portIds: [...device.portIds, id] });
    if (peerId === undefined) return;
    const peer = this.#objects.get(peerId);
    if (peer?.kind === "port" && peer.peerId !== id) {
      const { binding: _, ...unbound } = peer;
      this.#put({ ...unbound, peerId: id } as Port);
    }
  }

  #route(line: ScriptLine): void {
    const id = line.next("name");
    const router = this.#objects.get(line.next("router"));
    if (router?.kind !== "router") throw new Error(`${line.text}: no such router`);
    const destination = line.next("destination");
    const any = isV4(ipOf(destination.split("/")[0] ?? "")) ? "0.0.0.0/0" : "::/0";
    const route: Route = {
      kind: "route",
      id,
      routerId: router.id,
      source: line.option("from") ?? any,
      destination,
      weight: line.number("weight") ?? 100,
      nextHop: nextHopOf(line),
    };
    this.#put(route);
    if (!router.routeIds.includes(id)) this.#put({ ...router, routeIds: [...router.routeIds, id] });
  }

  #rule(line: ScriptLine): void {
    const id = line.next("name");
    const chain = this.#objects.get(line.next("chain"));
    if (chain?.kind !== "chain") throw new Error(`${line.text}: no such chain`);
    const target = line.option("jump");
    const action = target === undefined ? { type: line.next("action") } : { type: "jump", chainId: target };
    this.#put({ kind: "rule", id, chainId: chain.id, condition: conditionOf(line), action: action as RuleAction });
    if (!chain.ruleIds.includes(id)) this.#put({ ...chain, ruleIds: [...chain.ruleIds, id] });
  }

  #place(portId: string, how: string): void {
    const isActive = how === "active" || how === "remote";
    if (how === "none") this.#changes.push({ kind: "placement", portId, placement: undefined });
    else if (how === "remote") {
      const placement = { at: "remote", hostId: "h2", tunnelKey: 77, isActive } as const;
      this.#changes.push({ kind: "placement", portId, placement });
    } else {
      const placement = { at: "local", vport: ++this.#vports, isActive } as const;
      this.#changes.push({ kind: "placement", portId, placement });
    }
  }

  #absent(id: string): void {
    const object = this.#objects.get(id);
    this.#objects.delete(id);
    this.#changes.push({ kind: "absent", id });
    if (object?.kind === "port") this.#unlist(object.deviceKind === "bridge" ? object.bridgeId : object.routerId, id);
    if (object?.kind === "route") this.#unlist(object.routerId, id);
    if (object?.kind === "rule") this.#unlist(object.chainId, id);
  }

  #show(id: string): void {
    this.#hidden.delete(id);
    const object = this.#objects.get(id);
    if (object !== undefined) this.#changes.push({ kind: "object", object });
  }

  #unlist(ownerId: string, id: string): void {
    const owner = this.#objects.get(ownerId);
    const without = (ids: readonly string[]): readonly string[] => ids.filter((each) => each !== id);
    if (owner?.kind === "bridge") this.#put({ ...owner, portIds: without(owner.portIds) });
    if (owner?.kind === "chain") this.#put({ ...owner, ruleIds: without(owner.ruleIds) });
    if (owner?.kind === "router") {
      this.#put({ ...owner, portIds: without(owner.portIds), routeIds: without(owner.routeIds) });
    }
  }

  #put(object: TopologyObject): void {
    this.#objects.set(object.id, object);
    this.#changes.push({ kind: "object", object });
  }
}

function chainOf(id: string): Chain {
  return { kind: "chain", id, tenant: TENANT, name: id, ruleIds: [] };
}

function filtersOf(line: ScriptLine): { readonly inboundFilterId?: string; readonly outboundFilterId?: string } {
  const inFilter = line.option("in");
  const outFilter = line.option("out");
  return {
    ...(inFilter === undefined ? {} : { inboundFilterId: inFilter }),
    ...(outFilter === undefined ? {} : { outboundFilterId: outFilter }),
  };
}

type PortStart = Omit<Extract<Port, { deviceKind: "bridge" }>, "deviceKind" | "bridgeId" | "vlan">;

function bridgePort(base: PortStart, device: Bridge, line: ScriptLine): Port {
  const vlan = line.number("vlan");
  const macs = line.option("macs");
  const ips = line.option("ips");
  return {
    ...{ ...base, deviceKind: "bridge", bridgeId: device.id, ...(vlan === undefined ? {} : { vlan }) },
    ...(macs === undefined ? {} : { allowedMacs: macs.split(",").map((mac) => formatMac(macOf(mac))) }),
    ...(ips === undefined ? {} : { allowedAddresses: ips.split(",") }),
    ...(line.flag("external") ? { isExternal: true } : {}),
  };
}

function routerPort(base: PortStart, device: Router, line: ScriptLine): Port {
  return {
    ...base,
    deviceKind: "router",
    routerId: device.id,
    mac: formatMac(macOf(line.option("mac") ?? "02:ff")),
    addresses: line.option("ip")?.split(",") ?? [],
    mtu: line.number("mtu") ?? 1500,
  };
}

function nextHopOf(line: ScriptLine): NextHop {
  const portId = line.option("port");
  const gateway = line.option("via");
  if (portId !== undefined) return { type: "port", portId, ...(gateway === undefined ? {} : { gateway }) };
  const type = line.next("port=, blackhole, reject or local");
  if (type !== "blackhole" && type !== "reject" && type !== "local") throw new Error(`${line.text}: unknown next hop`);
  return { type };
}

function zoneOf(line: ScriptLine): TopologyObject {
  const id = line.next("name");
  const members = line
    .next("addresses")
    .split(",")
    .map((address, i) => ({ hostId: `host${i + 1}`, address }));
  return { kind: "tunnel-zone", id, name: id, mtu: 1500, members };
}

/** Short names of condition fields; `!name` inverts. */
const FIELDS: Readonly<Record<string, (value: string) => Condition>> = {
  in: (value) => ({ inPortIds: value.split(",") }),
  out: (value) => ({ outPortIds: value.split(",") }),
  type: (value) => ({ etherType: Number(value) }),
  smac: (value) => ({ sourceMac: macMatch(value) }),
  dmac: (value) => ({ destinationMac: macMatch(value) }),
  vlan: (value) => ({ vlan: Number(value) }),
  src: (value) => ({ source: value }),
  dst: (value) => ({ destination: value }),
  proto: (value) => ({ protocol: Number(value) }),
  dscp: (value) => ({ dscp: Number(value) }),
  sport: (value) => ({ sourcePorts: range(value) }),
  dport: (value) => ({ destinationPorts: range(value) }),
};

function conditionOf(line: ScriptLine): Rule["condition"] {
  const fragments = line.option("frag");
  let condition: Condition = fragments === undefined ? {} : { fragments: fragments as "whole" };
  if (line.flag("not")) condition = { ...condition, negated: true };
  for (const [name, value] of line.rest()) {
    const field = FIELDS[name.replace("!", "")]?.(value);
    if (field === undefined) throw new Error(`${line.text}: unknown field ${name}`);
    line.option(name);
    condition = { ...condition, ...field };
    if (name.startsWith("!")) {
      const inverted = [...(condition.inverted ?? []), ...Object.keys(field)];
      condition = { ...condition, inverted: inverted as NonNullable<Condition["inverted"]> };
    }
  }
  return condition;
}

function macMatch(text: string): MacMatch {
  const [mac = "", mask] = text.split("/");
  return { mac: formatMac(macOf(mac)), ...(mask === undefined ? {} : { mask }) };
}

function range(text: string): { readonly from: number; readonly to: number } {
  const [from, to] = text.split("-").map(Number);
  return { from: from ?? 0, to: to ?? from ?? 0 };
}
