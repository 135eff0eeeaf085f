import { RESOURCES } from "../api-schema/resources.ts";
import { listSchema } from "../api-schema/state-resource.ts";
import { ok } from "../base/result.ts";
import type { Id, Kind, TopologyObject } from "../model/objects.ts";
import { type BackField, readBackField } from "../model/references.ts";
import type { Endpoint } from "./endpoint.ts";
import { targetOf } from "./object-endpoints.ts";
import type { Objects } from "./objects.ts";

/** A list that an object keeps of others: `/v1/{parents}/{id}/{children}`. */
interface Children {
  readonly parent: Kind;
  readonly child: Kind;
  readonly list: BackField;
  readonly summary: string;
}

const CHILDREN: readonly Children[] = [
  { parent: "bridge", child: "port", list: "portIds", summary: "Ports of a bridge" },
  { parent: "router", child: "port", list: "portIds", summary: "Ports of a router" },
  { parent: "router", child: "route", list: "routeIds", summary: "Static routes of a router" },
  { parent: "chain", child: "rule", list: "ruleIds", summary: "Rules of a chain, in order of evaluation" },
  { parent: "host", child: "port", list: "portIds", summary: "Ports that are bound to a host" },
];

/** Objects by the object that they belong to, in its order. */
export function childEndpoints(objects: Objects): readonly Endpoint[] {
  return CHILDREN.map(({ parent, child, list, summary }): Endpoint => {
    const { plural } = RESOURCES[parent];
    const children = RESOURCES[child];
    return {
      method: "GET",
      path: `/v1/${plural}/{id}/${children.plural}`,
      operation: `list${nameOf(parent)}${nameOf(child)}s`,
      tag: plural,
      summary,
      answer: listSchema(children.read),
      status: 200,
      errors: ["not-found"],
      async handle(request) {
        const owner = await objects.stored(parent, targetOf(parent, request).id);
        if (!owner.ok) return owner;
        const ids: readonly Id[] = readBackField(owner.value.object as TopologyObject, list);
        const found = await Promise.all(ids.map((id) => objects.get(child, id)));
        // One that went meanwhile, or is damaged, does not hide the others.
        return ok({ body: { items: found.flatMap((item) => (item.ok ? [item.value.resource] : [])) } });
      },
    };
  });
}

function nameOf(kind: Kind): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}
