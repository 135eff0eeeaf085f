import type { Kind } from "./objects.ts";
import { chainSchema, ruleSchema } from "./schema/chain.ts";
import { bridgeSchema, routerSchema } from "./schema/device.ts";
import { hostSchema, tunnelZoneSchema } from "./schema/host.ts";
import type { JsonSchema } from "./schema/json-schema.ts";
import { portSchema } from "./schema/port.ts";
import { routeSchema } from "./schema/route.ts";

/** What stores and tools need to know about a kind. */
export interface KindEntry {
  readonly kind: Kind;
  /** Plural, as in paths of the store and of the API. */
  readonly plural: string;
  readonly schema: JsonSchema;
  /** Version of the stored encoding that this release writes. It reads this one and the one before. */
  readonly version: number;
  /** Where a name is unique: per tenant, in the whole cloud, or nowhere. Objects without a name are never in conflict. */
  readonly nameScope: "tenant" | "global" | "none";
}

/** All kinds. A new device is a row here, a schema, its references and its validation. */
export const MODEL_REGISTRY: Readonly<Record<Kind, KindEntry>> = {
  host: { kind: "host", plural: "hosts", schema: hostSchema, version: 1, nameScope: "global" },
  "tunnel-zone": {
    kind: "tunnel-zone",
    plural: "tunnel-zones",
    schema: tunnelZoneSchema,
    version: 1,
    nameScope: "global",
  },
  bridge: { kind: "bridge", plural: "bridges", schema: bridgeSchema, version: 1, nameScope: "tenant" },
  router: { kind: "router", plural: "routers", schema: routerSchema, version: 1, nameScope: "tenant" },
  port: { kind: "port", plural: "ports", schema: portSchema, version: 1, nameScope: "tenant" },
  route: { kind: "route", plural: "routes", schema: routeSchema, version: 1, nameScope: "none" },
  chain: { kind: "chain", plural: "chains", schema: chainSchema, version: 1, nameScope: "tenant" },
  rule: { kind: "rule", plural: "rules", schema: ruleSchema, version: 1, nameScope: "none" },
};

/** All kinds, in the order in which a listing shows them. */
export const KINDS: readonly Kind[] = Object.values(MODEL_REGISTRY).map((entry) => entry.kind);

/** True for the name of a kind. */
export function isKind(text: string): text is Kind {
  return Object.hasOwn(MODEL_REGISTRY, text);
}
