import { isMulticastMac, parseMac } from "../addr/mac.ts";
import { parseBody } from "../api-schema/convert.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import {
  type FdbEntryCreate,
  fdbEntry,
  fdbEntryCreate,
  listSchema,
  type NeighborEntryCreate,
  neighborEntry,
  neighborEntryCreate,
} from "../api-schema/state-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id } from "../model/objects.ts";
import { canonicalText } from "../model/schema/formats.ts";
import type { DeviceTables, TableOwner } from "./device-tables.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import { targetOf } from "./object-endpoints.ts";
import type { Objects } from "./objects.ts";

type Handled = Promise<Result<Answer, ApiError>>;

/** The FDB of bridges: learned entries are read, configured ones also written. */
export function fdbEndpoints(objects: Objects, tables: DeviceTables): readonly Endpoint[] {
  const shared = { tag: "bridges" } as const;
  const withBridge = async (request: ApiRequest, use: (bridgeId: Id) => Handled): Handled => {
    const bridge = await objects.stored("bridge", targetOf("bridge", request).id);
    return bridge.ok ? use(bridge.value.object.id) : bridge;
  };
  return [
    {
      ...shared,
      method: "GET",
      path: "/v1/bridges/{id}/fdb",
      operation: "listFdb",
      summary: "Where the MAC addresses of a bridge are",
      answer: listSchema(fdbEntry),
      status: 200,
      errors: ["not-found"],
      handle: (request) => withBridge(request, async (id) => listed(await tables.fdb(id))),
    },
    {
      ...shared,
      method: "POST",
      path: "/v1/bridges/{id}/fdb",
      operation: "addFdbEntry",
      summary: "Configures where a MAC address is; what hosts learn goes before it",
      body: fdbEntryCreate,
      answer: fdbEntry,
      status: 201,
      errors: ["not-found", "missing-field", "bad-value", "dangling-reference"],
      handle: (request) =>
        withBridge(request, async (id) => {
          const body = parseBody(fdbEntryCreate, request.body);
          if (!body.ok) return body;
          const entry = body.value as unknown as FdbEntryCreate;
          if (!isUnicastMac(entry.mac)) return err(ofOne("frames for a group go to every port"));
          const port = await objects.stored("port", entry.portId);
          const isOwn = port.ok && port.value.object.deviceKind === "bridge" && port.value.object.bridgeId === id;
          if (!isOwn)
            return err(apiError("dangling-reference", { field: "portId", expected: `a port of bridge ${id}` }));
          const done = await tables.addFdbEntry(id, entry);
          return done.ok ? ok({ body: done.value }) : done;
        }),
    },
    {
      ...shared,
      method: "DELETE",
      path: "/v1/bridges/{id}/fdb/{mac}",
      operation: "removeFdbEntry",
      summary: "Takes a configured entry back",
      query: { vlan: "VLAN of the entry; 0 when absent" },
      status: 204,
      errors: ["not-found", "bad-value", "bad-query"],
      handle: (request) =>
        withBridge(request, async (id) => {
          const mac = canonicalText("mac", request.params["mac"] ?? "");
          const vlan = Number(request.query["vlan"] ?? "0");
          if (mac === undefined)
            return err(apiError("bad-value", { field: "mac", expected: "a MAC address in the path" }));
          if (!Number.isInteger(vlan) || vlan < 0 || vlan > 4094) {
            return err(apiError("bad-query", { field: "vlan", expected: "a whole number from 0 to 4094" }));
          }
          const done = await tables.removeFdbEntry(id, { mac, vlan });
          return done.ok ? ok({}) : done;
        }),
    },
  ];
}

/** The neighbor tables of routers, and the addresses that bridges answer for. */
export function neighborEndpoints(objects: Objects, tables: DeviceTables): readonly Endpoint[] {
  return [...neighborsOf("router", objects, tables), ...neighborsOf("bridge", objects, tables)];
}

function neighborsOf(kind: TableOwner["kind"], objects: Objects, tables: DeviceTables): readonly Endpoint[] {
  const plural = `${kind}s`;
  const name = kind === "router" ? "Router" : "Bridge";
  const shared = { tag: plural } as const;
  const withOwner = async (request: ApiRequest, use: (owner: TableOwner) => Handled): Handled => {
    const device = await objects.stored(kind, targetOf(kind, request).id);
    return device.ok ? use({ kind, id: targetOf(kind, request).id }) : device;
  };
  return [
    {
      ...shared,
      method: "GET",
      path: `/v1/${plural}/{id}/neighbors`,
      operation: `list${name}Neighbors`,
      summary: `Which MAC addresses a ${kind} knows`,
      answer: listSchema(neighborEntry),
      status: 200,
      errors: ["not-found"],
      handle: (request) => withOwner(request, async (owner) => listed(await tables.neighbors(owner))),
    },
    {
      ...shared,
      method: "POST",
      path: `/v1/${plural}/{id}/neighbors`,
      operation: `add${name}Neighbor`,
      summary: "Configures the MAC address of an IP address; what hosts learn goes before it",
      body: neighborEntryCreate,
      answer: neighborEntry,
      status: 201,
      errors: ["not-found", "missing-field", "bad-value"],
      handle: (request) =>
        withOwner(request, async (owner) => {
          const body = parseBody(neighborEntryCreate, request.body);
          if (!body.ok) return body;
          const entry = body.value as unknown as NeighborEntryCreate;
          if (!isUnicastMac(entry.mac)) return err(ofOne("a neighbor is one machine"));
          const done = await tables.addNeighbor(owner, entry);
          return done.ok ? ok({ body: done.value }) : done;
        }),
    },
    {
      ...shared,
      method: "DELETE",
      path: `/v1/${plural}/{id}/neighbors/{ip}`,
      operation: `remove${name}Neighbor`,
      summary: "Takes a configured entry back",
      status: 204,
      errors: ["not-found", "bad-value"],
      handle: (request) =>
        withOwner(request, async (owner) => {
          const ip = canonicalText("ip", request.params["ip"] ?? "");
          if (ip === undefined)
            return err(apiError("bad-value", { field: "ip", expected: "an IP address in the path" }));
          const done = await tables.removeNeighbor(owner, ip);
          return done.ok ? ok({}) : done;
        }),
    },
  ];
}

function isUnicastMac(text: string): boolean {
  const mac = parseMac(text);
  return mac.ok && mac.value !== 0 && !isMulticastMac(mac.value);
}

function ofOne(why: string): ApiError {
  return apiError("bad-value", { field: "mac", expected: `a unicast MAC address: ${why}` });
}

function listed<T>(items: Result<readonly T[], ApiError>): Result<Answer, ApiError> {
  return items.ok ? ok({ body: { items: items.value } }) : items;
}
