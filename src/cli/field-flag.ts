import { err, ok, type Result } from "../base/result.ts";
import type { Kind } from "../model/objects.ts";
import { type CliError, usageError } from "./cli-error.ts";
import type { Names } from "./names.ts";

/** Fields of a request's body, to be merged into it. */
export type BodyPart = Readonly<Record<string, unknown>>;

/** A flag that fills fields of a body. */
export interface FieldFlag {
  /** As commander reads it: `--mtu <bytes>`, or `--down` without a value. */
  readonly flags: string;
  readonly help: string;
  /** When it may be given. */
  readonly use: "create" | "update" | "both";
  /** True when it may be given several times. */
  readonly isList?: true;
  /** What it decides, and how: two flags that decide the same in different ways contradict each other. */
  readonly choice?: Choice;
  /** A flag without which it says nothing, and what to do about it. */
  readonly needs?: { readonly flag: string; readonly remedy: string };
  /** Fields for a value; `true` for a flag without one, a list for one that may be repeated. */
  read(value: FlagValue, names: Names): Promise<Result<BodyPart, CliError>>;
}

/** One way to decide something that can be decided only once. */
export interface Choice {
  readonly of: string;
  readonly is: string;
}

/** What commander has read. */
export type FlagValue = string | boolean | readonly string[];

/** The word that takes an optional field away. */
const NONE = "none";

/** Text as it stands; the API checks it. */
export function textFlag(flags: string, field: string, help: string): FieldFlag {
  return { flags, help, use: "both", read: async (value) => ok({ [field]: value === NONE ? null : value }) };
}

/** A list of texts, by repetition or commas; `none` takes it away. */
export function listFlag(flags: string, field: string, help: string): FieldFlag {
  return { flags, help, use: "both", isList: true, read: async (value) => ok({ [field]: itemsOrNone(value) }) };
}

/** A whole number. */
export function numberFlag(flags: string, field: string, help: string): FieldFlag {
  return {
    flags,
    help,
    use: "both",
    read: async (value) => {
      if (value === NONE) return ok({ [field]: null });
      const number = wholeNumber(flags, value);
      return number.ok ? ok({ [field]: number.value }) : number;
    },
  };
}

/** A flag without value that sets a field to one value. */
export function constantFlag(flags: string, part: BodyPart, help: string): FieldFlag {
  return { flags, help, use: "both", read: async () => ok(part) };
}

/** Another object, by name or id. */
export function referenceFlag(
  flags: string,
  target: { readonly field: string; readonly kind: Kind },
  help: string,
): FieldFlag {
  return {
    flags,
    help,
    use: "both",
    read: async (value, names) => {
      if (value === NONE) return ok({ [target.field]: null });
      const id = await names.idOf(target.kind, String(value));
      return id.ok ? ok({ [target.field]: id.value }) : id;
    },
  };
}

/** The same flag at creation only: creation fixes its field. */
export function atCreation(flag: FieldFlag): FieldFlag {
  return { ...flag, use: "create" };
}

/** The same flag as one way to decide something. */
export function choosing(flag: FieldFlag, of: string, is: string): FieldFlag {
  return { ...flag, choice: { of, is } };
}

/** `--source-mac <mac>` is `--source-mac`. */
export function flagWord(flags: string): string {
  return flags.split(" ")[0] ?? flags;
}

/** What makes no sense about flags that were given together: those that contradict each other, and one without what it needs. */
export function contradictionIn(given: readonly FieldFlag[]): CliError | undefined {
  for (const [i, later] of given.entries()) {
    const earlier = given
      .slice(0, i)
      .find(({ choice }) => choice?.of === later.choice?.of && choice?.is !== later.choice?.is);
    if (earlier === undefined) continue;
    const [a, b] = [flagWord(earlier.flags), flagWord(later.flags)];
    return usageError(`${a} and ${b} contradict each other`, `each decides the ${later.choice?.of}: give one of them`);
  }
  const lonely = given.find(
    ({ needs }) => needs !== undefined && !given.some(({ flags }) => flagWord(flags) === needs.flag),
  );
  if (lonely?.needs === undefined) return undefined;
  return usageError(`${flagWord(lonely.flags)} needs ${lonely.needs.flag}`, lonely.needs.remedy);
}

/** What is missing among flags that were given; each group needs one. */
export function missingIn(given: readonly FieldFlag[], groups: readonly (readonly string[])[]): CliError | undefined {
  const words = given.map(({ flags }) => flagWord(flags));
  const group = groups.find((flags) => !flags.some((flag) => words.includes(flag)));
  if (group === undefined) return undefined;
  return usageError(`${group.length === 1 ? group[0] : `one of ${group.join(", ")}`} is missing`);
}

/** The items of a flag that may be repeated, each possibly a list with commas. */
export function itemsOf(value: FlagValue): readonly string[] {
  const texts = typeof value === "object" ? value : [String(value)];
  return texts.flatMap((text) => text.split(",")).filter((text) => text !== "");
}

function itemsOrNone(value: FlagValue): readonly string[] | null {
  const items = itemsOf(value);
  return items.length === 1 && items[0] === NONE ? null : items;
}

/** A whole number of a flag, decimal or 0x hexadecimal. */
export function wholeNumber(flags: string, value: FlagValue): Result<number, CliError> {
  const text = String(value);
  if (/^(?:[0-9]{1,10}|0x[0-9a-f]{1,8})$/i.test(text)) return ok(Number(text));
  return err(usageError(`${flagWord(flags)}: ${text}: expected a whole number`));
}
