import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import type { ConfigKey } from "../base/config-value.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type StoreClientValues, storeClientKeys } from "../store/client-config.ts";

type Prefixed<P extends string> = {
  readonly [K in keyof typeof storeClientKeys as `${P}-${string & K}`]: (typeof storeClientKeys)[K];
};

/** The keys by which a process reaches a store, for another store: each with a prefix. */
function prefixed<P extends string>(prefix: P): Prefixed<P> {
  const rows = Object.entries(storeClientKeys).map(([key, row]: readonly [string, ConfigKey]) => [
    `${prefix}-${key}`,
    row,
  ]);
  return Object.fromEntries(rows) as Prefixed<P>;
}

/** What the verbs of `weft store` share and what only some know. */
const switches = {
  root: { type: "string", default: "/weft", help: "Place of weft's nodes in the store's tree." },
  replace: {
    type: "boolean",
    default: false,
    help: "copy, restore: the target may hold something else, which goes. backup: the file may exist.",
  },
  "dry-run": { type: "boolean", default: false, help: "restore, migrate: say what would change, and change nothing." },
  repair: { type: "boolean", default: false, help: "check: put right what can be put right without a choice." },
  backup: { type: "string", help: "migrate: file for the backup that is taken first." },
  json: { type: "boolean", default: false, help: "JSON for programs." },
} as const satisfies ConfigSchema;

/** The keys of `weft store`, copy excepted. */
export const toolSchema = { ...storeClientKeys, ...switches } as const satisfies ConfigSchema;

/** The keys of `weft store copy`: those of the source with `from-`, those of the target with `to-`. */
export const copySchema = { ...prefixed("from"), ...prefixed("to"), ...switches } as const satisfies ConfigSchema;

/** The values of `weft store`. */
export type ToolValues = ConfigValues<typeof toolSchema>;

/** The values of `weft store copy`. */
export type CopyValues = ConfigValues<typeof copySchema>;

/** How to reach one end of a copy: its flags without their prefix, and the address that stood as a word. */
export function endOf(values: CopyValues, prefix: "from" | "to", address: string): StoreClientValues {
  const own = Object.entries(values).flatMap(([key, value]) =>
    key.startsWith(`${prefix}-`) ? [[key.slice(prefix.length + 1), value]] : [],
  );
  return { ...(Object.fromEntries(own) as unknown as StoreClientValues), store: address.split(",") };
}

/** What `weft store` can do, with the words that it takes. */
export const toolVerbs = {
  status: { words: [], help: "servers, mode, transactions, sessions, size" },
  check: { words: [], help: "reads everything and says what is wrong, and what to do; --repair" },
  backup: { words: ["FILE"], help: "writes everything that outlives sessions into one file (.gz: compressed)" },
  restore: { words: ["FILE"], help: "makes the store what a backup says; --dry-run, --replace" },
  copy: { words: ["FROM", "TO"], help: "copies one store into another, embedded or ensemble; --replace" },
  migrate: { words: [], help: "brings an older layout to that of this release; --backup FILE, --dry-run" },
} as const satisfies Readonly<Record<string, { readonly words: readonly string[]; readonly help: string }>>;

/** A verb of `weft store`. */
export type ToolVerb = keyof typeof toolVerbs;

/** A command line of `weft store`, cut into its parts. */
export interface ToolWords {
  readonly verb: ToolVerb;
  /** As many as the verb takes. */
  readonly words: readonly string[];
  /** Everything that begins with a dash, and its values. */
  readonly flags: readonly string[];
}

/** Tells verb, words and flags apart; the error is one sentence. */
export function toolWords(args: readonly string[]): Result<ToolWords, string> {
  const [verb, ...rest] = args;
  if (verb === undefined || !Object.hasOwn(toolVerbs, verb))
    return err(`expected one of ${Object.keys(toolVerbs).join(", ")}${verb === undefined ? "" : `, not ${verb}`}`);
  const schema: ConfigSchema = verb === "copy" ? copySchema : toolSchema;
  const [words, flags]: [string[], string[]] = [[], []];
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? "";
    if (!word.startsWith("--")) {
      words.push(word);
      continue;
    }
    const key = word.slice(2).split("=", 1)[0] ?? "";
    if (verb === "copy" && Object.hasOwn(storeClientKeys, key)) return err(whichEnd(key));
    flags.push(word);
    const takesValue = !word.includes("=") && schema[word.slice(2)]?.type !== "boolean";
    const value = takesValue ? rest[++i] : undefined;
    if (value !== undefined) flags.push(value);
  }
  const wanted = toolVerbs[verb as ToolVerb].words;
  if (words.length !== wanted.length) return err(`expected weft store ${[verb, ...wanted].join(" ")}`);
  return ok({ verb: verb as ToolVerb, words, flags });
}

/** A copy knows two stores: a key without its end is never guessed. */
function whichEnd(key: string): string {
  if (key === "store") return "copy takes both addresses as words: weft store copy FROM TO";
  return `copy has two stores: say of which --${key} is, --from-${key} or --to-${key}`;
}
