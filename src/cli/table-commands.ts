import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { err } from "../base/result.ts";
import { usageError } from "./cli-error.ts";
import { columnsOf, type Row } from "./columns.ts";
import {
  type CommandContext,
  type CommandResult,
  called,
  DONE,
  example,
  printJson,
  type VerbModule,
} from "./command.ts";
import { wholeNumber } from "./field-flag.ts";
import { formatSpan, formatTable } from "./table.ts";

/** `weft fdb list|add|delete BRIDGE`: where MAC addresses are. */
export const fdbVerb: VerbModule = {
  build(command, run) {
    command.addHelpText(
      "after",
      example("fdb list web", "fdb add web 02:00:00:00:00:05 vm1", "fdb delete web 02:00:00:00:00:05"),
    );
    command
      .command("list")
      .description("lists the FDB of a bridge")
      .argument("<bridge>")
      .action((bridge: string) => run((context) => listFdb(context, bridge)));
    withVlan(command.command("add"))
      .description("configures where a MAC address is")
      .argument("<bridge>")
      .argument("<mac>")
      .argument("<port>")
      .action((...[bridge, mac, port, options]: readonly [string, string, string, VlanOption]) =>
        run((context) => addFdb(context, bridge, { mac, port, vlan: options.vlan ?? "0" })),
      );
    withVlan(command.command("delete"))
      .description("takes a configured entry back")
      .argument("<bridge>")
      .argument("<mac>")
      .action((bridge: string, mac: string, options: VlanOption) =>
        run((context) => deleteFdb(context, bridge, { mac, vlan: options.vlan ?? "0" })),
      );
  },
};

/** `weft neighbors list|add|delete DEVICE`: which MAC address an IP address has. */
export const neighborsVerb: VerbModule = {
  build(command, run) {
    command.addHelpText("after", example("neighbors list edge", "neighbors add edge 10.0.1.5 02:00:00:00:00:05"));
    command
      .command("list")
      .description("lists the neighbor table of a router, or the addresses that a bridge answers for")
      .argument("<device>", "router or bridge")
      .action((device: string) => run((context) => listNeighbors(context, device)));
    command
      .command("add")
      .description("configures the MAC address of an IP address")
      .argument("<device>", "router or bridge")
      .argument("<ip>")
      .argument("<mac>")
      .action((device: string, ip: string, mac: string) =>
        run(async (context) => {
          const owner = await deviceOf(context, device);
          if (!owner.ok) return owner;
          const { client, kind, id } = owner.value;
          const added = await called(client.addNeighbor(kind, id, { ip, mac }));
          return added.ok ? said(context, `configured ${ip} as ${mac}`, added.value) : added;
        }),
      );
    command
      .command("delete")
      .description("takes a configured entry back")
      .argument("<device>", "router or bridge")
      .argument("<ip>")
      .action((device: string, ip: string) =>
        run(async (context) => {
          const owner = await deviceOf(context, device);
          if (!owner.ok) return owner;
          const { client, kind, id } = owner.value;
          const gone = await called(client.removeNeighbor(kind, id, ip));
          return gone.ok ? said(context, `deleted ${ip}`, { deleted: [ip] }) : gone;
        }),
      );
  },
};

interface VlanOption {
  readonly vlan?: string;
}

function withVlan(command: Command): Command {
  return command.option("--vlan <id>", "VLAN of the entry");
}

async function listFdb(context: CommandContext, bridge: string): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const id = await names.idOf("bridge", bridge);
  if (!id.ok) return id;
  const found = await called(client.fdb(id.value));
  if (!found.ok) return found;
  const rows = found.value.items.map(async ({ mac, vlan, portId, origin }): Promise<Row> => {
    return { MAC: mac, VLAN: vlan === 0 ? "" : String(vlan), PORT: await names.nameOf("port", portId), ORIGIN: origin };
  });
  return printed(context, found.value.items, await Promise.all(rows));
}

async function addFdb(
  context: CommandContext,
  bridge: string,
  entry: { readonly mac: string; readonly port: string; readonly vlan: string },
): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const id = await names.idOf("bridge", bridge);
  if (!id.ok) return id;
  const portId = await names.idOf("port", entry.port);
  if (!portId.ok) return portId;
  const vlan = wholeNumber("--vlan", entry.vlan);
  if (!vlan.ok) return vlan;
  const added = await called(client.addFdbEntry(id.value, { mac: entry.mac, portId: portId.value, vlan: vlan.value }));
  return added.ok ? said(context, `configured ${entry.mac} at port ${entry.port}`, added.value) : added;
}

async function deleteFdb(
  context: CommandContext,
  bridge: string,
  entry: { readonly mac: string; readonly vlan: string },
): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const id = await api.value.names.idOf("bridge", bridge);
  if (!id.ok) return id;
  const vlan = wholeNumber("--vlan", entry.vlan);
  if (!vlan.ok) return vlan;
  const gone = await called(api.value.client.removeFdbEntry(id.value, { mac: entry.mac, vlan: vlan.value }));
  return gone.ok ? said(context, `deleted ${entry.mac}`, { deleted: [entry.mac] }) : gone;
}

async function listNeighbors(context: CommandContext, device: string): CommandResult {
  const owner = await deviceOf(context, device);
  if (!owner.ok) return owner;
  const { client, kind, id } = owner.value;
  const found = await called(client.neighbors(kind, id));
  if (!found.ok) return found;
  const rows = found.value.items.map(({ ip, mac, origin, staleAt }): Row => {
    const left = staleAt === undefined ? undefined : staleAt - systemClock.wall();
    const fresh = left === undefined ? "" : left > 0 ? formatSpan(left) : "stale";
    return { ADDRESS: ip, MAC: mac, ORIGIN: origin, "FRESH FOR": fresh };
  });
  return printed(context, found.value.items, rows);
}

/** The router or bridge that a name means; a router goes first. */
async function deviceOf(context: CommandContext, text: string) {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  for (const kind of ["router", "bridge"] as const) {
    const id = await names.idOf(kind, text);
    // A whole id is taken as it stands: ask whether this kind has it.
    const isThere = id.ok && (await client.get(kind, id.value)).ok;
    if (id.ok && isThere) return { ok: true, value: { client, kind, id: id.value } } as const;
    if (!id.ok && id.error.exit !== "notFound") return id;
  }
  return err({
    ...usageError(`there is no router or bridge ${text}`, "see weft list routers and weft list bridges"),
    exit: "notFound" as const,
  });
}

function printed(context: CommandContext, items: readonly unknown[], rows: readonly Row[]): Awaited<CommandResult> {
  if (context.isJson) printJson(context.terminal, items);
  else if (rows.length === 0) context.terminal.complain("no entries");
  else for (const line of formatTable(columnsOf(rows), rows, context.terminal.width)) context.terminal.print(line);
  return DONE;
}

function said(context: CommandContext, sentence: string, value: unknown): Awaited<CommandResult> {
  if (context.isJson) printJson(context.terminal, value);
  else context.terminal.print(sentence);
  return DONE;
}
