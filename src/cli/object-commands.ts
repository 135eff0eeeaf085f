import type { Command } from "commander";
import type { CreateOf, PatchOf, ResourceOf } from "../api-schema/resources.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Kind } from "../model/objects.ts";
import { type CliError, usageError } from "./cli-error.ts";
import { columnsOf, rowOf } from "./columns.ts";
import {
  type CommandContext,
  type CommandResult,
  called,
  DONE,
  example,
  printJson,
  type VerbModule,
} from "./command.ts";
import { type BodyPart, contradictionIn, type FieldFlag, type FlagValue, flagWord, missingIn } from "./field-flag.ts";
import { KIND_SPECS, type KindSpec, nameIn } from "./kind-spec.ts";
import type { Names } from "./names.ts";
import { objectFields } from "./object-fields.ts";
import { portAtHost } from "./port-at-host.ts";
import { formatFields, formatTable } from "./table.ts";

type Options = Readonly<Record<string, FlagValue>>;

/** `weft create KIND`. */
export const createVerb: VerbModule = {
  build(command, run) {
    for (const spec of Object.values(KIND_SPECS)) {
      const sub = subcommand(command, spec)
        .description(`creates a ${spec.kind}`)
        .addHelpText("after", example(spec.example));
      if (spec.naming !== "none") sub.argument(spec.naming === "required" ? "<name>" : "[name]", "its name");
      sub.option("--id <uuid>", "its id; creating it again is then harmless");
      addFlags(sub, spec, "create");
      sub.action((...args: readonly unknown[]) => {
        const name = spec.naming === "none" ? undefined : (args[0] as string | undefined);
        return run((context) => create(context, { spec, name, options: sub.opts<Options>() }));
      });
    }
  },
};

/** `weft update KIND NAME`. */
export const updateVerb: VerbModule = {
  build(command, run) {
    for (const spec of Object.values(KIND_SPECS)) {
      const sub = subcommand(command, spec)
        .argument("<name>", "name, id, or the beginning of the id")
        .description(`changes a ${spec.kind}; what is not named stays`)
        .option("--if-version <number>", "only if the object is still in this version")
        .addHelpText("after", example(`update ${spec.kind} NAME ${updateExample(spec)}`));
      addFlags(sub, spec, "update");
      sub.action((name: string) => run((context) => update(context, { spec, name, options: sub.opts<Options>() })));
    }
  },
};

/** `weft show KIND NAME`. */
export const showVerb: VerbModule = {
  build(command, run) {
    forKinds(command, (sub, spec) => {
      sub
        .argument("<name>", "name, id, or the beginning of the id")
        .description(`shows a ${spec.kind} in full`)
        .addHelpText("after", example(`show ${spec.kind} NAME`, `show ${spec.kind} NAME --json`))
        .action((name: string) => run((context) => show(context, spec.kind, name)));
    });
  },
};

/** `weft list KIND`. */
export const listVerb: VerbModule = {
  build(command, run) {
    forKinds(command, (sub, spec) => {
      for (const [flag] of filtersOf(spec)) sub.option(`--${flag} <name>`, `only those of this ${flag}`);
      sub
        .description(`lists ${spec.plural}`)
        .addHelpText("after", example(`list ${spec.plural}`))
        .action(() => run((context) => list(context, spec, sub.opts<Options>())));
    });
  },
};

/** `weft delete KIND NAME...`. */
export const deleteVerb: VerbModule = {
  build(command, run) {
    forKinds(command, (sub, spec) => {
      sub
        .argument("<name...>", "names, ids, or the beginnings of ids")
        .description(`deletes ${spec.plural} and what cannot be without them`)
        .addHelpText("after", example(`delete ${spec.kind} NAME`))
        .action((names: readonly string[]) => run((context) => remove(context, spec.kind, names)));
    });
  },
};

/** Prints every field of one object, or JSON; of a bound port that is not active also what its host says of it. */
async function printObject<K extends Kind>(context: CommandContext, kind: K, object: ResourceOf<K>): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const status = kind === "port" ? await portAtHost(api.value.client, object as ResourceOf<"port">) : undefined;
  if (context.isJson) {
    printJson(context.terminal, { ...object, ...(status === undefined ? {} : { status }) });
    return DONE;
  }
  const fields = await objectFields(kind, object, api.value.names);
  const lines = formatFields(status?.why === undefined ? fields : [...fields, ["not active", status.why]]);
  for (const line of lines) context.terminal.print(line);
  return DONE;
}

function subcommand(command: Command, spec: KindSpec): Command {
  return command.command(spec.kind).aliases([spec.plural, ...spec.aliases]);
}

function forKinds(command: Command, build: (sub: Command, spec: KindSpec) => void): void {
  for (const spec of Object.values(KIND_SPECS)) build(subcommand(command, spec), spec);
}

function addFlags(sub: Command, spec: KindSpec, use: "create" | "update"): void {
  for (const flag of spec.flags) {
    if (flag.use !== "both" && flag.use !== use) continue;
    if (flag.isList === true)
      sub.option(flag.flags, flag.help, (value: string, before: readonly string[] = []) => [...before, value]);
    else sub.option(flag.flags, flag.help);
  }
}

function updateExample(spec: KindSpec): string {
  const flag = spec.flags.find(({ use }) => use !== "create")?.flags ?? "";
  return flag.replace(/<(\w+).*>/, (_text, word: string) => word.toUpperCase());
}

/** The body that flags describe, in the order of the flags' definition; objects within it are joined. */
async function bodyOf(
  spec: KindSpec,
  options: Options,
  names: Names,
): Promise<Result<Record<string, unknown>, CliError>> {
  const given = givenOf(spec, options);
  const contradiction = contradictionIn(given);
  if (contradiction !== undefined) return err(contradiction);
  const body: Record<string, unknown> = {};
  for (const flag of given) {
    const value = options[optionName(flag.flags)];
    if (value === undefined) continue;
    const part = await flag.read(value, names);
    if (!part.ok) return part;
    join(body, part.value);
  }
  return ok(body);
}

function givenOf(spec: KindSpec, options: Options): readonly FieldFlag[] {
  return spec.flags.filter(({ flags }) => options[optionName(flags)] !== undefined);
}

function join(body: Record<string, unknown>, part: BodyPart): void {
  for (const [field, value] of Object.entries(part)) {
    const before = body[field];
    const areObjects = [before, value].every(
      (item) => typeof item === "object" && item !== null && !Array.isArray(item),
    );
    body[field] = areObjects ? { ...(before as object), ...(value as object) } : value;
  }
}

/** `--source-mac <mac>` is `sourceMac` among the options that commander has read. */
function optionName(flags: string): string {
  const name = flagWord(flags).replace(/^--/, "");
  return name.replace(/-(\w)/g, (_text, letter: string) => letter.toUpperCase());
}

interface Creation {
  readonly spec: KindSpec;
  readonly name: string | undefined;
  readonly options: Options;
}

async function create(context: CommandContext, { spec, name, options }: Creation): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const described = await bodyOf(spec, options, names);
  if (!described.ok) return described;
  const missing = missingIn(givenOf(spec, options), spec.needs ?? []);
  if (missing !== undefined) return err({ ...missing, remedy: `see weft create ${spec.kind} --help` });
  const { tenant } = context.settings;
  const body = {
    ...(options["id"] === undefined ? {} : { id: options["id"] }),
    ...(name === undefined ? {} : { name }),
    ...(spec.hasTenant && tenant !== undefined ? { tenant } : {}),
    ...described.value,
  };
  const made = await called(client.create(spec.kind, body as unknown as CreateOf<Kind>));
  return made.ok ? announce(context, spec.kind, { object: made.value, done: "created" }) : made;
}

interface Change {
  readonly spec: KindSpec;
  readonly name: string;
  readonly options: Options;
}

async function update(context: CommandContext, { spec, name, options }: Change): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const id = await names.idOf(spec.kind, name);
  if (!id.ok) return id;
  const described = await bodyOf(spec, options, names);
  if (!described.ok) return described;
  if (Object.keys(described.value).length === 0)
    return err(usageError("nothing to change", `see weft update ${spec.kind} --help`));
  const version = options["ifVersion"];
  if (version !== undefined && !/^[0-9]{1,15}$/.test(String(version))) {
    return err(usageError(`--if-version: ${String(version)}: expected a whole number`));
  }
  const body = { ...described.value, ...(version === undefined ? {} : { version: Number(version) }) };
  const changed = await called(client.patch(spec.kind, id.value, body as Partial<PatchOf<Kind>>));
  return changed.ok ? announce(context, spec.kind, { object: changed.value, done: "changed" }) : changed;
}

interface Announcement<K extends Kind> {
  readonly object: ResourceOf<K>;
  readonly done: string;
}

/** One line for people, the object for programs. */
export async function announce<K extends Kind>(
  context: CommandContext,
  kind: K,
  { object, done }: Announcement<K>,
): CommandResult {
  if (context.isJson) {
    printJson(context.terminal, object);
    return DONE;
  }
  const name = nameIn(object);
  context.terminal.print(`${done} ${kind} ${name === undefined ? object.id : `${name} (${object.id})`}`);
  return DONE;
}

async function show(context: CommandContext, kind: Kind, name: string): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const id = await api.value.names.idOf(kind, name);
  if (!id.ok) return id;
  const found = await called(api.value.client.get(kind, id.value));
  return found.ok ? printObject<Kind>(context, kind, found.value) : found;
}

async function list(context: CommandContext, spec: KindSpec, options: Options): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const query: Record<string, string> = {};
  for (const [flag, { field, kind }] of filtersOf(spec)) {
    const value = options[flag];
    const id = value === undefined ? undefined : await names.idOf(kind, String(value));
    if (id?.ok === false) return id;
    if (id !== undefined) query[field] = id.value;
  }
  const { tenant } = context.settings;
  const found = await called(
    client.listAll(spec.kind, { ...query, ...(spec.hasTenant && tenant !== undefined ? { tenant } : {}) }),
  );
  if (!found.ok) return found;
  if (context.isJson) {
    printJson(context.terminal, found.value);
    return DONE;
  }
  const rows = (await Promise.all(found.value.map((object) => rowOf<Kind>(spec.kind, object, names)))).sort(
    byFirstColumns,
  );
  if (rows.length === 0) context.terminal.complain(`no ${spec.plural}`);
  else for (const line of formatTable(columnsOf(rows), rows, context.terminal.width)) context.terminal.print(line);
  return DONE;
}

/** Flags that narrow a listing, by the kind whose name they take. */
function filtersOf(spec: KindSpec): readonly (readonly [string, { readonly field: string; readonly kind: Kind }])[] {
  switch (spec.kind) {
    case "port":
      return [
        ["bridge", { field: "bridgeId", kind: "bridge" }],
        ["router", { field: "routerId", kind: "router" }],
      ];
    case "route":
      return [["router", { field: "routerId", kind: "router" }]];
    case "rule":
      return [["chain", { field: "chainId", kind: "chain" }]];
    default:
      return [];
  }
}

/** Names first, then places in a chain as numbers. */
function byFirstColumns(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): number {
  const [x, y] = [Object.values(a), Object.values(b)];
  return (x[0] ?? "").localeCompare(y[0] ?? "") || (x[1] ?? "").localeCompare(y[1] ?? "", undefined, { numeric: true });
}

async function remove(context: CommandContext, kind: Kind, texts: readonly string[]): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const deleted: string[] = [];
  const each = async (): CommandResult => {
    for (const text of texts) {
      const id = await names.idOf(kind, text);
      if (!id.ok) return id;
      const done = await called(client.delete(kind, id.value));
      if (!done.ok) return done;
      deleted.push(id.value);
      if (!context.isJson) context.terminal.print(`deleted ${kind} ${text}`);
    }
    return DONE;
  };
  const ended = await each();
  // What went before a failure is gone all the same.
  if (context.isJson) printJson(context.terminal, { deleted });
  return ended;
}
