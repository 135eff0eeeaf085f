import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { record } from "./compliance/arbitrary.ts";
import { CAPTURED } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitVxlan, formatVxlan, parseVxlan, VXLAN_LENGTH, type VxlanFields } from "./vxlan.ts";

checkCodecLaws<VxlanFields>({
  name: "vxlan",
  parse: parseVxlan,
  emit: emitVxlan,
  length: () => VXLAN_LENGTH,
  format: formatVxlan,
  arbitrary: record({ vni: fc.integer({ min: 0, max: 0xff_ffff }) }),
  golden: [
    { source: "Linux vxlan device", hex: CAPTURED.vxlan.slice(84, 100), fields: { vni: 77 }, text: "vxlan vni 77" },
  ],
});

it("refuses a VXLAN header without the I flag", () => {
  const error = { kind: "bad-value", header: "vxlan", field: "flags", value: 0 };
  assert.deepEqual(parseVxlan(new Uint8Array(8), 0, 8), { ok: false, error });
});
