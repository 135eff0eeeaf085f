import type { AgentStatus } from "../api-schema/agent-api.ts";
import type { DropsAnswer, FlowsAnswer } from "../api-schema/trace-resource.ts";
import { systemClock } from "../base/clock.ts";
import { ok } from "../base/result.ts";
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
import type { Names } from "./names.ts";
import { formatBytes, formatSpan, formatTable } from "./table.ts";

/** `weft hosts`: who is there, and how it does. */
export const hostsVerb: VerbModule = {
  build(command, run) {
    command.addHelpText("after", example("hosts")).action(() => run(hosts));
  },
};

/** `weft flows [HOST]`: what is installed. */
export const flowsVerb: VerbModule = {
  build(command, run) {
    command
      .argument("[host]", "one host; all when absent")
      .option("--limit <number>", "at most so many a host", "100")
      .addHelpText("after", example("flows", "flows host1 --limit 10"))
      .action((host?: string) => run((context) => flows(context, { host, limit: String(command.opts()["limit"]) })));
  },
};

/** `weft drops [HOST]`: what was dropped, and why. */
export const dropsVerb: VerbModule = {
  build(command, run) {
    command
      .argument("[host]", "one host; all when absent")
      .addHelpText("after", example("drops", "drops host2"))
      .action((host?: string) => run((context) => drops(context, host)));
  },
};

async function hosts(context: CommandContext): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const listed = await called(client.listAll("host"));
  if (!listed.ok) return listed;
  const found = ok(listed.value.toSorted((a, b) => a.name.localeCompare(b.name)));
  const zones = await called(client.listAll("tunnel-zone"));
  if (!zones.ok) return zones;
  const statuses = await Promise.all(
    found.value.map((host) => (host.isAlive ? client.hostStatus(host.id) : undefined)),
  );
  if (context.isJson) {
    const all = found.value.map((host, i) => ({
      ...host,
      ...(statuses[i]?.ok === true ? { status: statuses[i].value } : {}),
    }));
    printJson(context.terminal, all);
    return DONE;
  }
  const rows = await Promise.all(
    found.value.map(async (host, i): Promise<Row> => {
      const status = statuses[i];
      const own = zones.value.flatMap(({ members }) => members.filter(({ hostId }) => hostId === host.id));
      return {
        NAME: host.name,
        ALIVE: host.isAlive ? "yes" : "no",
        PORTS: String(host.portIds.length),
        "NOT SERVED": status?.ok === true ? await notServed(status.value.ports, names) : "",
        FLOWS: status?.ok === true ? String(status.value.flows ?? "unknown") : "",
        DATAPATH: status?.ok === true ? (status.value.datapath ?? "") : "",
        PEERS: status?.ok === true ? await peersOf(status.value.peers ?? [], names) : "",
        UNDERLAY: own.map(({ address }) => address).join(" "),
        ZONES: (await Promise.all(host.tunnelZoneIds.map((id) => names.nameOf("tunnel-zone", id)))).join(" "),
        RELEASE: status?.ok === true ? status.value.release : "",
        ID: host.id,
      };
    }),
  );
  return table(context, rows, "no hosts: an agent registers its host when it starts");
}

/** Ports bound to the host that it does not forward for; `weft show port` says why. */
async function notServed(ports: AgentStatus["ports"], names: Names): Promise<string> {
  const others = ports.filter(({ state }) => state !== "up");
  const named = others.map(async ({ portId, state }) => `${await names.nameOf("port", portId)} ${state}`);
  return (await Promise.all(named)).join(", ");
}

/** `4 alive`, `3 alive, host2 dead for 12s`: the dead by name, the others by number. */
async function peersOf(peers: NonNullable<AgentStatus["peers"]>, names: Names): Promise<string> {
  const dead = peers.filter(({ state }) => state === "dead");
  const others = new Map<string, number>();
  for (const { state } of peers) if (state !== "dead") others.set(state, (others.get(state) ?? 0) + 1);
  const named = await Promise.all(
    dead.map(async ({ hostId, since }) => {
      const span = formatSpan(Math.max(0, systemClock.wall() - since));
      return `${await names.nameOf("host", hostId)} dead for ${span}`;
    }),
  );
  return [...[...others].map(([state, count]) => `${count} ${state}`), ...named].join(", ");
}

async function flows(
  context: CommandContext,
  { host, limit }: { readonly host: string | undefined; readonly limit: string },
): CommandResult {
  const asked = wholeNumber("--limit", limit);
  if (!asked.ok) return asked;
  const hostId = await hostIdOf(context, host);
  if (!hostId.ok) return hostId;
  const { client, names } = hostId.value.api;
  const found = await called(client.flows({ ...hostId.value.query, limit: asked.value }));
  if (!found.ok) return found;
  if (context.isJson) return ended(context, found.value, () => printJson(context.terminal, found.value));
  const rows = await Promise.all(
    found.value.items
      .toSorted((a, b) => b.packets - a.packets)
      .map(async (flow): Promise<Row> => {
        return {
          HOST: await names.nameOf("host", flow.hostId),
          PORT: flow.portId === undefined ? "" : await names.nameOf("port", flow.portId),
          KEY: flow.key,
          CLASS: flow.flowClass,
          ACTION: flow.action,
          PACKETS: String(flow.packets),
          BYTES: formatBytes(flow.bytes),
          IDLE: formatSpan(flow.idleMs),
          TAGS: String(flow.tags),
        };
      }),
  );
  await table(context, rows, "no flows");
  const hidden = found.value.total - found.value.items.length;
  if (hidden > 0) context.terminal.complain(`and ${hidden} more; see --limit`);
  return ended(context, found.value);
}

async function drops(context: CommandContext, host: string | undefined): CommandResult {
  const hostId = await hostIdOf(context, host);
  if (!hostId.ok) return hostId;
  const { client, names } = hostId.value.api;
  const found = await called(client.drops(hostId.value.query));
  if (!found.ok) return found;
  if (context.isJson) return ended(context, found.value, () => printJson(context.terminal, found.value));
  const sorted = found.value.items.toSorted((a, b) => b.packets - a.packets);
  const rows = await Promise.all(
    sorted.map(async (drop): Promise<Row> => {
      return {
        HOST: await names.nameOf("host", drop.hostId),
        PORT: drop.portId === undefined ? "" : await names.nameOf("port", drop.portId),
        REASON: drop.reason,
        PACKETS: String(drop.packets),
        MEANING: drop.meaning ?? "",
      };
    }),
  );
  await table(context, rows, "nothing was dropped");
  return ended(context, found.value);
}

/** The API, and the query that names a host, when one is named. */
export async function hostIdOf(context: CommandContext, host: string | undefined) {
  const api = context.api();
  if (!api.ok) return api;
  if (host === undefined) return ok({ api: api.value, query: {} });
  const id = await api.value.names.idOf("host", host);
  return id.ok ? ok({ api: api.value, query: { host: id.value } }) : id;
}

/** Prints rows, or the sentence when there are none. */
export async function table(context: CommandContext, rows: readonly Row[], empty: string): CommandResult {
  if (rows.length === 0) context.terminal.complain(empty);
  else for (const line of formatTable(columnsOf(rows), rows, context.terminal.width)) context.terminal.print(line);
  return DONE;
}

/** Names the hosts that did not answer, and says so by the exit code. */
export function ended(
  context: CommandContext,
  { missing }: Pick<FlowsAnswer | DropsAnswer, "missing">,
  print?: () => void,
): Awaited<CommandResult> {
  print?.();
  for (const { name, message } of missing) context.terminal.complain(`host ${name}: ${message}`);
  return ok(missing.length === 0 ? "done" : "partial");
}
