import { ok } from "../../src/base/result.ts";
import type { MapKind, TextCodec } from "../../src/store/recipes/map-kind.ts";

const text: TextCodec<string> = { format: (value) => value, parse: (value) => ok(value) };

/** Texts by texts, ranked as a bridge's MAC table is. */
export const benchMapKind: MapKind<string, string> = {
  name: "bench",
  precedence: "newest-learned-then-configured",
  key: text,
  value: text,
};
