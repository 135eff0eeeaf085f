import { ok } from "../../base/result.ts";
import type { MapKind, Precedence, TextCodec } from "../recipes/map-kind.ts";

const anyText: TextCodec<string> = { format: (value) => value, parse: (value) => ok(value) };

/** A map of texts, for tests. */
export function textMapKind(precedence: Precedence): MapKind<string, string> {
  return { name: "text", precedence, key: anyText, value: anyText };
}
