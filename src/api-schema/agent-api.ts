import { err, ok, type Result } from "../base/result.ts";
import { checkSchema } from "../model/schema/check.ts";
import { idField } from "../model/schema/fields.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import { countField, textField } from "./field-schemas.ts";
import { FLOWS_MAX, FRAME_BYTES_MAX } from "./limits.ts";

/**
 * The small API that every agent serves itself, over HTTP on a Unix socket (mode 0600) and, when configured, on a management
 * address with the cloud's token. Only the central API speaks to it, and `weft doctor`. JSON both ways; every error has the
 * form of the public API (`ErrorBody`). All answers are snapshots and change nothing, but for the last, which is for the next agent
 * of the same host.
 *
 *     GET  /status                                            AgentStatus
 *     GET  /version                                           AgentVersion
 *     GET  /flows?limit=N                                     AgentFlows
 *     GET  /drops                                             AgentDrops
 *     POST /trace       AgentTraceRequest                     AgentTrace
 *     POST /hand-over?before=MONOTONIC_MS                     { pid }, once datapath and session are free; the agent then ends
 *     GET  /metrics                                           text, as Prometheus reads it
 *     GET  /metrics?format=json                               AgentMetrics
 *     GET  /doctor                                            AgentDoctor
 *     GET  /support                                           SupportPart
 */
export const AGENT_PATHS = {
  status: "/status",
  version: "/version",
  flows: "/flows",
  drops: "/drops",
  trace: "/trace",
  handOver: "/hand-over",
  metrics: "/metrics",
  doctor: "/doctor",
  support: "/support",
} as const;

/** Name of the state key of kind `host` by which an agent says that it lives; its text is a `HostAlive`. */
export const HOST_ALIVE_KEY = "alive";

/** Name of the state key of kind `port` by which a host says that it forwards for a bound port. */
export const PORT_ACTIVE_KEY = "active";

const hostAlive = {
  type: "object",
  description: "What an agent publishes of itself, under its session",
  additionalProperties: false,
  required: ["v", "address"],
  properties: {
    v: { const: 1 },
    address: { ...textField, description: "unix:/path/to/socket or http://address:port" },
    release: { ...textField, description: "Release of the agent" },
    startedAt: { ...countField, description: "Unix milliseconds" },
  },
} as const;

/** What an agent publishes of itself, under its session. */
export type HostAlive = FromSchema<typeof hostAlive>;

/** The text of the state key. */
export function formatHostAlive(alive: Omit<HostAlive, "v">): string {
  return JSON.stringify({ v: 1, ...alive });
}

/** Reads the text of the state key; what was expected when it is none. A key without address still means alive. */
export function parseHostAlive(text: string): Result<HostAlive, string> {
  const value = parseJson(text);
  const problem = checkSchema(hostAlive, value, { canonical: false })[0];
  return problem === undefined ? ok(value as HostAlive) : err(`${problem.field}: expected ${problem.expected}`);
}

/** State of an agent. */
export const agentStatus = {
  type: "object",
  description: "State of a host's agent",
  additionalProperties: false,
  required: ["hostId", "release", "startedAt", "workers", "isStoreConnected", "ports"],
  properties: {
    hostId: idField,
    release: textField,
    startedAt: { ...countField, description: "Unix milliseconds" },
    workers: countField,
    flows: { ...countField, description: "Flows installed; absent when the workers did not answer in time" },
    isStoreConnected: { type: "boolean" },
    storeAwaySince: {
      ...countField,
      description: "Unix milliseconds; there while there is no connection to the store: since when",
    },
    snapshotAt: {
      ...countField,
      description:
        "Unix milliseconds; there while the host forwards from its snapshot because the store has not answered",
    },
    datapath: { ...textField, description: "Driver of the datapath" },
    ports: {
      type: "array",
      maxItems: 10_000,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["portId", "interfaceName", "state"],
        properties: {
          portId: idField,
          interfaceName: textField,
          state: { ...textField, description: "wanted, up, down, absent or refused" },
          why: { ...textField, description: "Why the interface was refused, one sentence; absent unless refused" },
        },
      },
    },
    peers: {
      type: "array",
      maxItems: 10_000,
      description: "Other hosts, as this one hears of their datapaths",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["hostId", "state", "since"],
        properties: {
          hostId: idField,
          state: { ...textField, description: "unknown, alive, suspect or dead: see docs/liveness.md" },
          since: { ...countField, description: "Unix milliseconds" },
          roundTripUs: { ...countField, description: "Round trip of the last answered keep-alive" },
        },
      },
    },
    unconfirmed: {
      type: "array",
      maxItems: 10_000,
      description: "Ports that are sent to although their host has lost its session: active, owner unconfirmed",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["portId", "hostId", "since"],
        properties: { portId: idField, hostId: idField, since: { ...countField, description: "Unix milliseconds" } },
      },
    },
    metrics: {
      type: "array",
      maxItems: 10_000,
      description: "Counters and gauges",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name", "value"],
        properties: { name: textField, value: countField },
      },
    },
  },
} as const;

/** State of an agent. */
export type AgentStatus = FromSchema<typeof agentStatus>;

/**
 * How far an agent has come: the version of the world that its control thread knows, and the newest one that no flow forwards by an
 * older world than. Equal: nothing is on its way. The answer costs the workers nothing.
 */
export interface AgentVersion {
  readonly version: number;
  readonly reached: number;
}

/** One installed flow. */
export const flowLine = {
  type: "object",
  description: "An installed flow",
  additionalProperties: false,
  required: ["slot", "key", "flowClass", "action", "packets", "bytes", "idleMs", "tags"],
  properties: {
    slot: countField,
    portId: { ...idField, description: "Port by which its packets enter; absent for tunnel traffic" },
    key: { ...textField, description: "Fields that are compared" },
    flowClass: { ...textField, description: "Mask: which fields are compared" },
    action: { ...textField, description: "What happens to its packets" },
    packets: countField,
    bytes: countField,
    idleMs: { ...countField, description: "Since its last packet" },
    tags: { ...countField, description: "How many things the flow depends on" },
  },
} as const;

/** One installed flow. */
export type FlowLine = FromSchema<typeof flowLine>;

/** Flows of one host. */
export const agentFlows = {
  type: "object",
  additionalProperties: false,
  required: ["flows", "total"],
  properties: {
    flows: { type: "array", items: flowLine, maxItems: FLOWS_MAX },
    total: { ...countField, description: "Flows installed, those left out included" },
  },
} as const;

/** Flows of one host. */
export type AgentFlows = FromSchema<typeof agentFlows>;

/** Packets that were dropped for one reason at one port. */
export const dropLine = {
  type: "object",
  description: "Packets dropped for one reason",
  additionalProperties: false,
  required: ["reason", "packets"],
  properties: {
    reason: { ...textField, description: "Name from docs/reference/drop-reasons.md" },
    meaning: textField,
    portId: { ...idField, description: "Port by which they entered; absent when there is none" },
    packets: countField,
  },
} as const;

/** Packets that were dropped for one reason at one port. */
export type DropLine = FromSchema<typeof dropLine>;

/** Drops of one host since its agent's start. */
export const agentDrops = {
  type: "object",
  additionalProperties: false,
  required: ["drops"],
  properties: { drops: { type: "array", items: dropLine, maxItems: 100_000 } },
} as const;

/** Drops of one host since its agent's start. */
export type AgentDrops = FromSchema<typeof agentDrops>;

/** A frame as text. */
export const frameField = {
  type: "string",
  maxLength: FRAME_BYTES_MAX * 2,
  pattern: "^(?:[0-9a-fA-F]{2})*$",
  description: "Ethernet frame in hexadecimal, without FCS",
  expected: "an Ethernet frame in hexadecimal",
} as const;

/** Asks an agent what would become of a frame that enters by one of its ports. */
export const agentTraceRequest = {
  type: "object",
  additionalProperties: false,
  required: ["portId", "frame"],
  properties: { portId: { ...idField, description: "Port by which the frame enters" }, frame: frameField },
} as const;

/** Asks an agent what would become of a frame that enters by one of its ports. */
export type AgentTraceRequest = FromSchema<typeof agentTraceRequest>;

/** What would become of the frame. */
export const agentTrace = {
  type: "object",
  description: "The walk of a packet through the live topology",
  additionalProperties: false,
  required: ["verdict", "walk", "flowClass", "action"],
  properties: {
    verdict: { ...textField, description: "forward, drop, consume, wait, or needs-frame" },
    reason: { ...textField, description: "Of a drop or a wait" },
    walk: { type: "array", items: textField, maxItems: 10_000, description: "One line a step, indented by depth" },
    flowClass: { ...textField, description: "Mask of the flow that would be installed" },
    action: { ...textField, description: "Action of that flow, for the datapath of this host" },
    tags: { type: "array", items: textField, maxItems: 10_000, description: "What the answer depends on" },
    outputs: { type: "array", items: textField, maxItems: 10_000, description: "Where it leaves" },
  },
} as const;

/** What would become of the frame. */
export type AgentTrace = FromSchema<typeof agentTrace>;

const portActive = {
  type: "object",
  additionalProperties: false,
  required: ["hostId", "tunnelKey", "generation"],
  properties: {
    hostId: idField,
    tunnelKey: countField,
    generation: countField,
    isActive: { type: "boolean", description: "false: the host says that it does not forward; absent: it does" },
  },
} as const;

/**
 * Who serves a bound port, under which tunnel key, for which generation of its binding. A host that stops to forward for a port
 * which stays bound to it writes the same with `isActive: false` and lets that be. So a key that merely disappears while its
 * binding stands says that the host's session was lost, and nothing about the port.
 */
export type PortActiveState = FromSchema<typeof portActive>;

/** The text of the state key; `isActive` false for a port that its host withdraws on purpose. */
export function formatPortActive(state: PortActiveState, isActive: boolean): string {
  const { hostId, tunnelKey, generation } = state;
  return JSON.stringify({ hostId, tunnelKey, generation, ...(isActive ? {} : { isActive }) });
}

/** Reads the text of the state key; what was expected when it is none. */
export function parsePortActive(text: string): Result<PortActiveState, string> {
  const value = parseJson(text);
  const problem = checkSchema(portActive, value, { canonical: false })[0];
  return problem === undefined ? ok(value as PortActiveState) : err(`${problem.field}: expected ${problem.expected}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
