import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Condition, Rule } from "./objects.ts";
import { REFERENCES, readBackField, referencesOf, referencesTo } from "./references.ts";
import { arbitraryOf, conditionArbitrary, objectArbitrary } from "./testdata/arbitraries.ts";

const X = "00000000-0000-4000-8000-00000000000a";
const Y = "00000000-0000-4000-8000-00000000000b";

function ruleOf(condition: Condition): Rule {
  return { kind: "rule", id: X, chainId: Y, condition, action: { type: "drop" } };
}

/** Does the rule match a packet that entered by `inPortId`? All other fields are taken to match. */
function matches(condition: Condition, inPortId: string): boolean {
  const listed = condition.inPortIds?.includes(inPortId) ?? true;
  const field = condition.inPortIds !== undefined && condition.inverted?.includes("inPortIds") ? !listed : listed;
  return condition.negated === true ? !field : field;
}

describe("references", () => {
  it("lead to no id of an object after it was cleared of that id", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        for (const { row, id } of referencesOf(object)) {
          const cleared = row.clear(object, id);
          if (row.onDelete === "cascade") assert.equal(cleared, undefined);
          else if (cleared !== undefined) assert.ok(!row.read(cleared).includes(id));
        }
      }),
    );
  });

  it("leave an object alone that does not refer to the id, or is of another kind", () => {
    fc.assert(
      fc.property(objectArbitrary, (object) => {
        for (const row of REFERENCES) assert.equal(row.clear(object, X), object);
      }),
    );
  });

  it("name back-reference lists that the target has", () => {
    for (const row of REFERENCES) {
      if (row.backField === undefined) continue;
      const [target] = fc.sample(arbitraryOf(row.to), 1);
      assert.ok(target !== undefined && row.backField in target, `${row.from}.${row.field}`);
      assert.ok(Array.isArray(readBackField(target, row.backField)));
    }
  });

  it("are found from their target", () => {
    assert.deepEqual(
      referencesTo("host").map((row) => `${row.from}.${row.field}`),
      ["tunnel-zone.members", "port.binding.hostId"],
    );
  });
});

describe("a rule whose port is deleted", () => {
  const row = REFERENCES.find(({ field }) => field === "condition.inPortIds");
  const cut = (condition: Condition): Rule | undefined => row?.clear(ruleOf(condition), X) as Rule | undefined;

  it("matches every packet that it matched before, and no other", () => {
    const cases = fc.record({
      inPortIds: fc.constantFrom([X], [X, Y]),
      negated: fc.boolean(),
      isInverted: fc.boolean(),
      port: fc.constantFrom(Y, "elsewhere"),
    });
    fc.assert(
      fc.property(cases, ({ inPortIds, negated, isInverted, port }) => {
        const before: Condition = { inPortIds, negated, ...(isInverted ? { inverted: ["inPortIds"] } : {}) };
        const after = cut(before);
        assert.equal(after !== undefined && matches(after.condition, port), matches(before, port));
      }),
    );
  });

  it("goes when it could match nothing any more", () => {
    assert.equal(cut({ inPortIds: [X], protocol: 6 }), undefined);
  });

  it("keeps the rest of its condition", () => {
    fc.assert(
      fc.property(conditionArbitrary, (condition) => {
        const { inPortIds: _ports, inverted = [], ...rest } = condition;
        const names = inverted.filter((name) => name !== "inPortIds");
        const expected = names.length === 0 ? rest : { ...rest, inverted: names };
        assert.deepEqual(cut({ ...condition, inPortIds: [X], inverted: [...names, "inPortIds"] })?.condition, expected);
      }),
    );
  });
});
