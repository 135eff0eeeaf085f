import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Kind, TopologyObject } from "../model/objects.ts";
import { KINDS } from "../model/registry.ts";
import { checkSchema } from "../model/schema/check.ts";
import { arbitraryOf, objectArbitrary } from "../model/testdata/arbitraries.ts";
import { idOf } from "../model/testdata/topology.ts";
import { validateObject } from "../model/validate.ts";
import { fromCreate, fromPatch, fromPut, macOfId, toResource } from "./convert.ts";
import { type ApiError, ERROR_CATALOGUE } from "./errors.ts";
import { RESOURCES } from "./resources.ts";

const facts = { version: 3, isAlive: true, isActive: true, position: 2 };
const NEW = idOf(77);

function created(kind: Kind, body: unknown): TopologyObject | ApiError {
  const result = fromCreate(kind, body, { newId: NEW, deviceTenant: "blue" });
  return result.ok ? result.value.object : result.error;
}

function refusal(result: { readonly ok: boolean; readonly error?: ApiError }): string {
  return result.ok ? "accepted" : `${result.error?.code} ${result.error?.field}`;
}

/** What a client would send to make this object: what it reads, without what only weft writes. */
function bodyOf(object: TopologyObject): Record<string, unknown> {
  const { readOnly } = RESOURCES[object.kind];
  const shown = Object.entries(toResource(object, facts)).filter(([name]) => !readOnly.includes(name));
  return Object.fromEntries(shown);
}

/** The object without what a creation does not carry. */
function essence(object: TopologyObject): Record<string, unknown> {
  const { readOnly } = RESOURCES[object.kind];
  return Object.fromEntries(Object.entries(object).filter(([name]) => !readOnly.includes(name)));
}

describe("resources", () => {
  it("show every object in the form that the schema promises", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        const shown = JSON.parse(JSON.stringify(toResource(object, facts)));
        assert.deepEqual(checkSchema(RESOURCES[object.kind].read, shown, { canonical: true }), []);
      }),
    );
  });

  it("create the object that they were read from", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        const again = created(object.kind, bodyOf(object));
        assert.deepEqual(essence(again as TopologyObject), essence(object));
      }),
    );
  });

  it("can be sent back whole without a change", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        const body = toResource(object, facts);
        for (const result of [
          fromPut(object, body, facts),
          fromPatch(object, body, facts),
          fromPatch(object, {}, facts),
        ]) {
          assert.deepEqual(result.ok ? result.value.object : result.error, object);
        }
      }),
    );
  });

  it("never turn a body into an object that its schema would refuse, whatever the body", () => {
    for (const kind of KINDS) {
      const bodies = fc.oneof(
        fc.jsonValue(),
        fc
          .tuple(arbitraryOf(kind), fc.dictionary(fc.string(), fc.jsonValue()))
          .map(([object, noise]) => ({ ...bodyOf(object), ...noise })),
      );
      fc.assert(
        fc.property(bodies, (body) => {
          const result = fromCreate(kind, body, { newId: NEW });
          if (!result.ok) assert.ok(result.error.code in ERROR_CATALOGUE);
          else assert.ok(validateObject(result.value.object).every((error) => error.kind !== "unknown-field"));
        }),
        { numRuns: 50 },
      );
    }
  });
});

describe("a creation", () => {
  it("fills in what an ordinary object has", () => {
    assert.deepEqual(created("bridge", { name: "net" }), {
      kind: "bridge",
      id: NEW,
      tenant: "default",
      name: "net",
      isUp: true,
      portIds: [],
    });
    assert.deepEqual(created("port", { routerId: idOf(2), addresses: ["FD00::1/64"] }), {
      kind: "port",
      id: NEW,
      tenant: "blue",
      isUp: true,
      deviceKind: "router",
      routerId: idOf(2),
      mac: macOfId(NEW),
      addresses: ["fd00::1/64"],
      mtu: 1500,
    });
    const nextHop = { type: "blackhole" };
    const route = created("route", { routerId: idOf(2), destination: "fd00::/8", nextHop });
    assert.deepEqual(route, {
      kind: "route",
      id: NEW,
      routerId: idOf(2),
      source: "::/0",
      destination: "fd00::/8",
      weight: 100,
      nextHop,
    });
  });

  it("compares ports only in packets that carry them", () => {
    const condition = { protocol: 6, destinationPorts: { from: 80, to: 80 } };
    const rule = created("rule", { chainId: idOf(3), condition, action: { type: "drop" } });
    assert.deepEqual(rule, {
      kind: "rule",
      id: NEW,
      chainId: idOf(3),
      condition: { ...condition, fragments: "header" },
      action: { type: "drop" },
    });
  });

  it("refuses what it does not know, keeps itself, or needs", () => {
    assert.equal(refusal(fromCreate("bridge", { name: "a", colour: 1 }, { newId: NEW })), "unknown-field colour");
    assert.equal(refusal(fromCreate("bridge", { name: "a", portIds: [] }, { newId: NEW })), "read-only-field portIds");
    assert.equal(refusal(fromCreate("bridge", {}, { newId: NEW })), "missing-field name");
    assert.equal(refusal(fromCreate("bridge", [], { newId: NEW })), "bad-value ");
    assert.equal(refusal(fromCreate("port", {}, { newId: NEW })), "missing-field deviceKind");
    assert.equal(refusal(fromCreate("host", { name: "a", id: "1" }, { newId: NEW })), "bad-value id");
  });

  it("names every problem of a body at once", () => {
    const result = fromCreate("route", { weight: -1, destination: "10.0.0.1/8" }, { newId: NEW });
    assert.ok(!result.ok);
    assert.deepEqual(
      [result.error.field, ...(result.error.more ?? []).map(({ field }) => field)],
      ["routerId", "nextHop", "weight", "destination"],
    );
  });

  it("makes MAC addresses that are unicast, local and the same for the same id", () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        assert.match(macOfId(id), /^02:/);
        assert.equal(macOfId(id), macOfId(id));
      }),
    );
  });
});

describe("a patch", () => {
  const port = {
    kind: "port",
    id: NEW,
    tenant: "blue",
    isUp: true,
    deviceKind: "bridge",
    bridgeId: idOf(1),
    vlan: 5,
  } as const;

  it("changes what it names, and null takes an optional field away", () => {
    const result = fromPatch(port, { vlan: null, isUp: false }, facts);
    const { vlan: _vlan, ...rest } = port;
    assert.deepEqual(result, { ok: true, value: { object: { ...rest, isUp: false } } });
  });

  it("takes nothing away that is needed", () => {
    assert.equal(refusal(fromPatch(port, { isUp: null }, facts)), "bad-value isUp");
    assert.equal(refusal(fromPatch(port, { colour: null }, facts)), "unknown-field colour");
  });

  it("does not change what creation fixed or weft keeps", () => {
    assert.equal(refusal(fromPatch(port, { bridgeId: idOf(2) }, facts)), "immutable-field bridgeId");
    assert.equal(refusal(fromPatch(port, { state: "linked" }, facts)), "read-only-field state");
    assert.equal(refusal(fromPatch(port, { version: 2 }, facts)), "read-only-field version");
  });

  it("moves a rule", () => {
    const rule = { kind: "rule", id: NEW, chainId: idOf(3), condition: {}, action: { type: "drop" } } as const;
    assert.deepEqual(fromPatch(rule, { position: 7 }, facts), { ok: true, value: { object: rule, position: 7 } });
  });
});

describe("a replacement", () => {
  it("takes away optional fields that it does not name, and misses the others", () => {
    const bridge = {
      kind: "bridge",
      id: NEW,
      tenant: "a",
      name: "b",
      isUp: true,
      inboundFilterId: idOf(3),
      portIds: [],
    } as const;
    const result = fromPut(bridge, { name: "c", isUp: false }, facts);
    assert.ok(result.ok);
    assert.equal("inboundFilterId" in result.value.object, false);
    assert.equal(refusal(fromPut(bridge, { name: "c" }, facts)), "missing-field isUp");
  });
});
