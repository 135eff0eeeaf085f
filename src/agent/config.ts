import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import { METRICS_LISTEN_HELP } from "../base/metrics-listen.ts";
import { err, ok, type Result } from "../base/result.ts";
import { TUNNEL_UDP_PORT } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import { canonicalText } from "../model/schema/formats.ts";
import { storeClientKeys } from "../store/client-config.ts";
import { UNCONFIRMED_MS } from "./core/limits.ts";

/** The keys of a host's agent: `--key value`, WEFT_KEY or a YAML file. */
export const agentSchema = {
  "host-id": { type: "string", help: "UUID of this host. Kept for ever: bindings of ports name it." },
  "host-name": { type: "string", help: "Name of this host, for people. Default: the machine's name." },
  ...storeClientKeys,
  "unconfirmed-limit": {
    type: "duration",
    default: UNCONFIRMED_MS,
    help: "How long ports of a host are sent to that lost its session but answers keep-alives.",
  },
  "api-socket": {
    type: "string",
    default: "/run/weft/agent.sock",
    help: "Unix socket (mode 0600) of the agent's own API.",
  },
  "api-listen": {
    type: "string",
    help: "Address and port of the management network at which the API of other machines asks this agent. Default: by the socket only.",
  },
  "api-token-file": { type: "string", help: "File with the cloud's token, that of the API; api-listen asks for it." },
  "metrics-listen": { type: "string", help: METRICS_LISTEN_HELP },
  "state-folder": {
    type: "string",
    help: "Folder (mode 0700) of what the agent keeps across restarts. Default: /var/lib/weft/agent/HOST-ID.",
  },
  datapath: { type: "string", default: "ebpf", choices: ["ebpf", "memory"], help: "Driver of the datapath." },
  workers: { type: "integer", default: 1, min: 1, max: 8, help: "Simulation workers, 1..8. Default: one." },
  "wake-latency": {
    type: "integer",
    min: 0,
    help: "Longest time in µs that a processor may take to wake up while new flows come: 0 where halting is slow (virtual machines), 2 on bare metal. It costs power. Default: as the system idles.",
  },
  "flow-limit": {
    type: "integer",
    default: 131_072,
    min: 256,
    max: 16_777_216,
    help: "Flows that the table holds at 3/4 load.",
  },
  "ring-bytes": {
    type: "integer",
    default: 524_288,
    min: 65_536,
    max: 67_108_864,
    isPowerOfTwo: true,
    help: "Upcall ring of each of the 16 shards, a power of two.",
  },
  "pin-folder": {
    type: "string",
    default: "system",
    help: "Folder below /sys/fs/bpf/weft for this host's programs and tables.",
  },
  "udp-port": {
    type: "integer",
    default: TUNNEL_UDP_PORT,
    min: 1,
    max: 65_535,
    help: "UDP port of the overlay on the underlay.",
  },
  keep: {
    type: "boolean",
    default: false,
    help: "Leave programs and flows in the kernel at the end, so that forwarding goes on.",
  },
  takeover: {
    type: "string",
    default: "no",
    choices: ["no", "ask", "force"],
    bare: "ask",
    help: "Take over from the agent that runs on this host, without losing a packet: --takeover asks it to hand over, --takeover=force kills it when it does not within 5 s.",
  },
  "neighbor-stale": {
    type: "duration",
    default: 1_800_000,
    help: "Age at which a neighbor is asked for again when it is needed.",
  },
  "neighbor-expiry": { type: "duration", default: 3_600_000, help: "Age at which a neighbor entry is removed." },
  "neighbor-retry": { type: "duration", default: 10_000, help: "Time between two requests for one neighbor." },
  "neighbor-give-up": { type: "duration", default: 60_000, help: "Time after which a neighbor counts as absent." },
  "log.level": {
    type: "string",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    help: "Least level of log lines on standard error.",
  },
} as const satisfies ConfigSchema;

/** The values of an agent's configuration. */
export type AgentValues = ConfigValues<typeof agentSchema>;

/** The host's id, in the one way to write it: every other would make the host another one. The error is one sentence. */
export function hostIdOf({ "host-id": text }: Pick<AgentValues, "host-id">): Result<Id, string> {
  if (text === undefined) return err("host-id is missing: give --host-id UUID, the same at every start of this host");
  const id = canonicalText("uuid", text);
  if (id !== undefined) return ok(id);
  return err(`host-id: ${text} is no UUID: give --host-id what uuidgen prints, the same at every start of this host`);
}
