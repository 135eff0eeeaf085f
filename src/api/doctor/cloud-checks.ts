import { type Finding, failure, warning, well } from "../../api-schema/doctor-resource.ts";
import type { Id, ObjectOf } from "../../model/objects.ts";

/** What the store says of the cloud, judged by `checkCloud`. */
export interface CloudFacts {
  readonly hosts: readonly (ObjectOf<"host"> & { readonly isAlive: boolean; readonly release?: string | undefined })[];
  readonly zones: readonly ObjectOf<"tunnel-zone">[];
  readonly ports: readonly (ObjectOf<"port"> & { readonly isActive: boolean })[];
  /** Documents that cannot be read. */
  readonly damaged: readonly { readonly kind: string; readonly id: string; readonly why: string }[];
  /** Release of the API. */
  readonly release: string;
  /** Nodes of the store about objects that do not exist: path and object. */
  readonly orphans: readonly { readonly path: string; readonly kind: string; readonly id: string }[];
}

/** Objects that are named one by one; of more only the number is told. */
const NAMED_MAX = 20;

/** Judges the cloud as a whole. */
export function checkCloud(facts: CloudFacts): readonly Finding[] {
  return [
    ...checkDamaged(facts),
    ...checkHosts(facts),
    ...checkZones(facts),
    ...checkBindings(facts),
    ...checkOrphans(facts),
  ];
}

function checkDamaged({ damaged }: CloudFacts): readonly Finding[] {
  return limited(damaged, ({ kind, id, why }) =>
    failure("store-layout", {
      subject: `${kind} ${id}`,
      found: `its document cannot be read: ${why}`,
      remedy: "write it anew through the API, or restore it from a backup",
    }),
  );
}

function checkHosts({ hosts, ports, release }: CloudFacts): readonly Finding[] {
  const dead = hosts.filter(({ isAlive }) => !isAlive);
  const bound = (id: Id): number => ports.filter(({ binding }) => binding?.hostId === id).length;
  const findings = limited(dead, ({ id }) => {
    const count = bound(id);
    const looked = { subject: `host ${id}`, found: `its agent does not live; ${count} ports are bound there` };
    if (count === 0) {
      const remedy = "start its agent, or delete the host if it is gone for good";
      return warning("hosts", { ...looked, remedy });
    }
    return failure("hosts", { ...looked, remedy: "start its agent, or bind the ports to another host" });
  });
  const releases = new Map<string, number>();
  for (const { release: own } of hosts) if (own !== undefined) releases.set(own, (releases.get(own) ?? 0) + 1);
  const others = [...releases.keys()].filter((own) => own !== release);
  const text = [...releases].map(([own, count]) => `${count} of release ${own}`).join(", ");
  const alive = {
    subject: "agents",
    found: `${hosts.length - dead.length} of ${hosts.length} live${text === "" ? "" : `: ${text}`}`,
  };
  if (others.length > 0) {
    const remedy = `the API is of release ${release}: finish the upgrade`;
    return [...findings, warning("hosts", { ...alive, remedy })];
  }
  return [...findings, ...(dead.length === 0 ? [well("hosts", alive)] : [])];
}

function checkZones({ hosts, zones, ports }: CloudFacts): readonly Finding[] {
  const serving = new Set(ports.flatMap(({ binding }) => (binding === undefined ? [] : [binding.hostId])));
  const members = new Set(zones.flatMap((zone) => zone.members.map(({ hostId }) => hostId)));
  const alone = hosts.filter(({ id }) => serving.size > 1 && serving.has(id) && !members.has(id));
  const found = limited(alone, ({ id }) =>
    failure("zones", {
      subject: `host ${id}`,
      found: "has bound ports and is in no tunnel zone: no other host reaches them",
      remedy: "weft join ZONE HOST ADDRESS",
    }),
  );
  if (found.length > 0) return found;
  return [well("zones", { subject: "tunnel zones", found: `${zones.length}, ${members.size} hosts in them` })];
}

function checkBindings({ hosts, ports }: CloudFacts): readonly Finding[] {
  const known = new Map(hosts.map((host) => [host.id, host]));
  const bound = ports.flatMap((port) => (port.binding === undefined ? [] : [{ ...port, binding: port.binding }]));
  const nowhere = bound.filter(({ binding }) => !known.has(binding.hostId));
  const silent = bound.filter(
    ({ binding, isActive, isUp }) => known.get(binding.hostId)?.isAlive === true && isUp && !isActive,
  );
  const found = [
    ...limited(nowhere, ({ id, binding }) =>
      failure("bindings", {
        subject: `port ${id}`,
        found: `bound to host ${binding.hostId}, which does not exist`,
        remedy: "weft unbind the port, or bind it to a host that exists",
      }),
    ),
    ...limited(silent, ({ id, binding }) =>
      warning("bindings", {
        subject: `port ${id}`,
        found: `its host ${binding.hostId} lives and does not forward for it on ${binding.interfaceName}`,
        remedy: "see the host's ports: is the interface there and up?",
      }),
    ),
  ];
  if (found.length > 0) return found;
  return [well("bindings", { subject: "bound ports", found: `${bound.length}` })];
}

function checkOrphans({ orphans }: CloudFacts): readonly Finding[] {
  const found = limited(orphans, ({ path, kind, id }) =>
    warning("leftovers", {
      subject: path,
      found: `belongs to ${kind} ${id}, which does not exist`,
      remedy: "harmless; it goes with the recycler, or: delete the node with ZooKeeper's own command line",
    }),
  );
  if (found.length > 0) return found;
  return [well("leftovers", { subject: "state keys and maps", found: "each belongs to an object" })];
}

/** A finding for each, but for no more than a person reads; the rest is one more finding. */
function limited<T>(all: readonly T[], finding: (one: T) => Finding): readonly Finding[] {
  const named = all.slice(0, NAMED_MAX).map(finding);
  const [first] = named;
  const rest = all.length - named.length;
  if (first === undefined || rest <= 0) return named;
  return [...named, { ...first, subject: `and ${rest} more`, found: "of the same kind" }];
}
