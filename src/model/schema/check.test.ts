import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Compile } from "typebox/compile";
import { KINDS, MODEL_REGISTRY } from "../registry.ts";
import { arbitraryOf } from "../testdata/arbitraries.ts";
import { checkSchema, PROBLEMS_MAX } from "./check.ts";
import { canonicalText } from "./formats.ts";

const loose = { canonical: false };
const strict = { canonical: true };

/** Typebox as the second opinion; it does not know our formats, so they are left out on both sides. */
function withoutFormats(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutFormats);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => !["format", "discriminator", "expected"].includes(name))
      .map(([name, value]) => [name, withoutFormats(value)]),
  );
}

describe("schema checker", () => {
  for (const kind of KINDS) {
    it(`agrees with typebox about ${kind} objects that were damaged in one place`, () => {
      const schema = withoutFormats(MODEL_REGISTRY[kind].schema) as never;
      const typebox = Compile(schema);
      const plain = { ...(schema as object), discriminator: { propertyName: "deviceKind" } } as never;
      const ours = kind === "port" ? plain : schema;
      fc.assert(
        fc.property(arbitraryOf(kind), fc.nat(), fc.jsonValue(), (object, at, value) => {
          const names = [...Object.keys(object), "surplus"];
          const name = names[at % names.length] ?? "";
          const damaged: Record<string, unknown> = { ...object, [name]: value };
          if (kind === "route" || kind === "rule") return;
          assert.equal(
            checkSchema(ours, damaged, strict).length === 0,
            typebox.Check(damaged),
            JSON.stringify(damaged),
          );
        }),
      );
    });
  }

  it("says where, and what was expected", () => {
    const problems = checkSchema(
      MODEL_REGISTRY.port.schema,
      {
        kind: "port",
        id: "x",
        tenant: "",
        isUp: 1,
        deviceKind: "router",
        mac: "02:00:00:00:00:01",
        addresses: ["a"],
        color: 1,
      },
      loose,
    );
    assert.deepEqual(
      problems.map(({ kind, field }) => `${kind} ${field}`),
      [
        "missing-field routerId",
        "missing-field mtu",
        "bad-value id",
        "bad-value tenant",
        "bad-value isUp",
        "bad-value addresses[0]",
        "unknown-field color",
      ],
    );
    assert.equal(problems[5]?.expected, "an address with its prefix length such as 10.0.0.1/24 or fd00::1/64");
  });

  it("demands the canonical writing only of stored documents", () => {
    const schema = { type: "string", format: "ip" } as const;
    assert.deepEqual(checkSchema(schema, "FD00:0::1", loose), []);
    assert.equal(checkSchema(schema, "FD00:0::1", strict)[0]?.expected, "the canonical writing fd00::1");
  });

  it("reports a bounded number of problems", () => {
    const schema = { type: "array", maxItems: 1000, items: { type: "boolean" } } as const;
    assert.equal(checkSchema(schema, new Array(1000).fill(0), strict).length, PROBLEMS_MAX);
  });

  it("is not fooled by names that every object inherits", () => {
    const schema = { type: "object", additionalProperties: false, required: ["toString"], properties: {} } as const;
    assert.deepEqual(
      checkSchema(schema, JSON.parse('{"__proto__":1,"constructor":2}'), strict).map((p) => `${p.kind} ${p.field}`),
      ["missing-field toString", "unknown-field __proto__", "unknown-field constructor"],
    );
  });

  it("counts characters as JSON Schema does", () => {
    const schema = { type: "string", maxLength: 2 } as const;
    assert.deepEqual(checkSchema(schema, "😀😀", strict), []);
    assert.equal(checkSchema(schema, "😀😀😀", strict).length, 1);
  });
});

describe("formats", () => {
  it("write a bare address as a network of one and refuse host bits", () => {
    assert.equal(canonicalText("network", "10.0.0.1"), "10.0.0.1/32");
    assert.equal(canonicalText("network", "FD00::1"), "fd00::1/128");
    assert.equal(canonicalText("network", "10.0.0.1/24"), undefined);
    assert.equal(canonicalText("prefix", "10.0.0.1"), undefined);
    assert.equal(canonicalText("mac", "02-00-00-00-00-0A"), "02:00:00:00:00:0a");
  });
});
