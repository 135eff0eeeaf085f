import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeObject, encodeObject } from "./encoding.ts";
import { formatModelError } from "./model-error.ts";
import { objectArbitrary } from "./testdata/arbitraries.ts";
import { STORED_V1 } from "./testdata/stored-v1.ts";
import { validateObject } from "./validate.ts";

const ID = "00000000-0000-4000-8000-000000000001";

function failure(text: string, key = { kind: "bridge", id: ID } as const): string {
  const result = decodeObject(key, text);
  return result.ok ? "decoded" : formatModelError(result.error);
}

describe("stored encoding", () => {
  it("reads back every object it writes", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        assert.deepEqual(validateObject(object), []);
        const back = decodeObject(object, encodeObject(object));
        assert.deepEqual(back, { ok: true, value: object });
      }),
    );
  });

  it("gives equal objects equal text whatever the order of their fields", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        const turned = Object.fromEntries(Object.entries(object).reverse()) as typeof object;
        assert.equal(encodeObject(turned), encodeObject(object));
      }),
    );
  });

  it("answers any text with a value, and never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), objectArbitrary.map(encodeObject)), fc.nat(), (text, cut) => {
        const result = decodeObject({ kind: "port", id: ID }, text.slice(0, cut % (text.length + 1)));
        assert.equal(result.ok, false);
      }),
    );
  });

  it("says of a damaged document which object and why", () => {
    assert.equal(failure("{"), `bridge ${ID}: damaged-document, expected a JSON object`);
    assert.equal(failure("[]"), `bridge ${ID}: damaged-document, expected a JSON object`);
    assert.equal(
      failure('{"id":"x"}'),
      `bridge ${ID} field v: damaged-document, expected the version of the encoding, from 1`,
    );
    assert.equal(failure('{"v":1,"kind":"bridge"}'), `bridge ${ID} field id: damaged-document, expected ${ID}`);
    const unnamed = `{"v":1,"kind":"bridge","id":"${ID}","tenant":"a","portIds":[]}`;
    assert.match(failure(unnamed), /field name: damaged-document, expected a name of 1 to 255/);
  });

  it("names a document of a later release and does not guess at it", () => {
    assert.equal(
      failure('{"v":2,"kind":"bridge","new":true}'),
      `bridge ${ID} field v: newer-document, expected at most 1`,
    );
  });

  it("reads every document that a release has written, and writes it the same", () => {
    for (const text of STORED_V1) {
      const { kind, id } = JSON.parse(text);
      const object = decodeObject({ kind, id }, text);
      assert.equal(object.ok ? encodeObject(object.value) : formatModelError(object.error), text);
    }
  });

  it("refuses a document that lies under another object's key", () => {
    const body = { kind: "chain", id: ID.replace("1", "2"), tenant: "a", name: "b", ruleIds: [] } as const;
    assert.match(failure(encodeObject(body)), /field kind: damaged-document/);
    const moved = decodeObject({ kind: "chain", id: ID }, encodeObject(body));
    assert.equal(moved.ok ? "" : moved.error.field, "id");
  });
});
