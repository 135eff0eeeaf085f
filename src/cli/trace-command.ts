import type { PacketDescription, TraceAnswer, TraceRequest } from "../api-schema/trace-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CliError, usageError } from "./cli-error.ts";
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
import { protocolOf } from "./protocols.ts";
import { formatFields } from "./table.ts";

type Options = Readonly<Record<string, string | boolean | undefined>>;

/** `weft trace`: what would become of a packet. */
export const traceVerb: VerbModule = {
  build(command, run) {
    command
      .requiredOption("--port <port>", "bound port by which the packet enters")
      .option("--src <address>", "source address")
      .option("--dst <address>", "destination address")
      .option("--proto <name>", "tcp, udp, icmp, icmp6, sctp or a number; an echo request when absent")
      .option("--sport <number>", "source port, or ICMP identifier")
      .option("--dport <number>", "destination port, or ICMP sequence number")
      .option("--src-mac <mac>", "source MAC address; found by the source address when absent")
      .option("--dst-mac <mac>", "destination MAC address; the neighbor's or the gateway's when absent")
      .option("--vlan <id>", "VLAN tag")
      .option("--arp <operation>", "an ARP request or reply about source and destination")
      .option("--ttl <number>", "TTL or hop limit; 64 when absent")
      .option("--dscp <number>", "DSCP")
      .option("--size <bytes>", "payload after the last header")
      .option("--no-df", "IPv4: may be fragmented")
      .option("--frame <hex>", "a whole Ethernet frame in place of all that")
      .option("--host <host>", "host that walks it; the port's when absent")
      .option("--ids", "ids in place of names")
      .option("--why", "also everything that the answer depends on: a change of any of it changes the flow")
      .addHelpText(
        "after",
        example(
          "trace --port vm1 --src 10.0.1.11 --dst 10.0.2.13 --proto tcp --dport 80",
          "trace --port vm1 --src fd00:1::11 --dst fd00:2::13",
          "trace --port vm1 --src 10.0.1.11 --dst 10.0.2.13 --why",
          "trace --port vm1 --arp request --src 10.0.1.11 --dst 10.0.1.1",
          "trace --port vm1 --frame ffffffffffff02000000000108060001...",
        ),
      )
      .action(() => run((context) => trace(context, command.opts<Options>())));
  },
};

async function trace(context: CommandContext, options: Options): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const { client, names } = api.value;
  const portId = await names.idOf("port", String(options["port"]));
  if (!portId.ok) return portId;
  const host = options["host"];
  const hostId = host === undefined ? undefined : await names.idOf("host", String(host));
  if (hostId?.ok === false) return hostId;
  const what = packetOf(options);
  if (!what.ok) return what;
  const request = { portId: portId.value, ...(hostId === undefined ? {} : { hostId: hostId.value }), ...what.value };
  const walked = await called(client.trace(request));
  if (!walked.ok) return err(inFlags(walked.error));
  if (context.isJson) printJson(context.terminal, walked.value);
  else await printWalk(context, walked.value, { showsIds: options["ids"] === true, why: options["why"] === true });
  return DONE;
}

/** Dependencies that are printed in one line without being asked for. */
const READS_INLINE = 3;

/** The walk as people read it: the packet, what was assumed, the way, and what it comes to. */
async function printWalk(
  context: CommandContext,
  answer: TraceAnswer,
  { showsIds, why }: { readonly showsIds: boolean; readonly why: boolean },
): Promise<void> {
  const { terminal } = context;
  const api = context.api();
  const names = api.ok ? api.value.names : undefined;
  const kinds = ["port", "bridge", "router", "chain", "host"] as const;
  const named = async (texts: readonly string[]): Promise<readonly string[]> => {
    return showsIds || names === undefined ? texts : names.withNames(texts, kinds);
  };
  terminal.print(answer.summary);
  for (const line of await named(answer.assumed ?? [])) terminal.print(`assumed: ${line}`);
  terminal.print("");
  for (const line of await named(answer.walk)) terminal.print(line);
  terminal.print("");
  const reason = (await named(answer.reason === undefined ? [] : [answer.reason]))[0];
  const verdict = reason === undefined ? answer.verdict : `${answer.verdict}: ${reason}`;
  const rows: (readonly [string, string])[] = [["verdict", verdict]];
  const where = await named(answer.outputs ?? []);
  if (where.length > 0) rows.push(["leaves at", where.join(", ")]);
  rows.push(["flow", `${answer.flowClass} -> ${answer.action}`]);
  const reads = await named(answer.tags ?? []);
  const isShort = reads.length <= READS_INLINE;
  if (reads.length > 0 && !why)
    rows.push(["depends on", isShort ? reads.join(", ") : `${reads.length} things; --why lists them`]);
  rows.push(["walked by", names === undefined ? answer.hostId : await names.nameOf("host", answer.hostId)]);
  for (const line of formatFields(rows)) terminal.print(line);
  if (!why) return;
  terminal.print("");
  terminal.print("depends on");
  for (const line of reads) terminal.print(`  ${line}`);
}

type What = Pick<TraceRequest, "frame" | "packet">;

const TEXTS: readonly (readonly [string, keyof PacketDescription])[] = [
  ["src", "source"],
  ["dst", "destination"],
  ["srcMac", "sourceMac"],
  ["dstMac", "destinationMac"],
  ["arp", "arp"],
];

const NUMBERS: readonly (readonly [string, keyof PacketDescription])[] = [
  ["sport", "sourcePort"],
  ["dport", "destinationPort"],
  ["vlan", "vlan"],
  ["ttl", "ttl"],
  ["dscp", "dscp"],
  ["size", "payloadBytes"],
];

const FLAGS = new Map<string, string>([
  ...[...TEXTS, ...NUMBERS].map(([option, field]) => [`packet.${field}`, dashed(option)] as const),
  ["packet.protocol", "--proto"],
  ["frame", "--frame"],
]);

function dashed(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The API's error about a field, as one about the flag that gives it. */
function inFlags(error: CliError): CliError {
  const { api } = error;
  const flag = FLAGS.get(api?.field ?? "");
  if (api === undefined || flag === undefined) return error;
  const expected = api.expected === undefined ? error.message : `expected ${api.expected}`;
  const remedy = api.code === "missing-field" ? { remedy: `give ${flag}` } : {};
  return { ...error, message: `${flag}: ${expected}`, ...remedy };
}

function packetOf(options: Options): Result<What, CliError> {
  const { frame } = options;
  const described = [...TEXTS, ...NUMBERS].map(([option]) => option).concat("proto");
  const other = described.find((option) => options[option] !== undefined);
  if (frame !== undefined) {
    if (other === undefined) return ok({ frame: String(frame).replace(/[\s:]/g, "").toLowerCase() });
    return err(usageError(`--frame and --${other}: expected a frame or a description, not both`));
  }
  if (other === undefined)
    return err(usageError("what packet? give --src and --dst, or --frame", "see weft trace --help"));
  const packet: Record<string, unknown> = options["df"] === false ? { dontFragment: false } : {};
  for (const [option, field] of TEXTS) if (options[option] !== undefined) packet[field] = options[option];
  for (const [option, field] of NUMBERS) {
    const text = options[option];
    if (text === undefined) continue;
    const number = wholeNumber(`--${option}`, String(text));
    if (!number.ok) return number;
    packet[field] = number.value;
  }
  const proto = options["proto"] === undefined ? undefined : protocolOf(String(options["proto"]));
  if (proto?.ok === false) return err(usageError(`--proto: ${String(options["proto"])}: expected ${proto.error}`));
  return ok({ packet: { ...packet, ...(proto === undefined ? {} : { protocol: proto.value }) } as PacketDescription });
}
