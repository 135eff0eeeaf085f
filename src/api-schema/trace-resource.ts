import { idField, macField } from "../model/schema/fields.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import { type AgentTrace, agentTrace, dropLine, flowLine, frameField } from "./agent-api.ts";
import { countField, textField } from "./field-schemas.ts";
import { answerOfHosts } from "./hosts-answer.ts";
import { FLOWS_MAX } from "./limits.ts";

const ipField = { type: "string", format: "ip" } as const;
const octet = { type: "integer", minimum: 0, maximum: 255 } as const;
const portNumber = { type: "integer", minimum: 0, maximum: 65_535 } as const;

/**
 * A packet in words. What is left out is filled in as an ordinary sender would: the MAC addresses from what the network knows,
 * TTL 64, and no payload.
 */
export const packetDescription = {
  type: "object",
  description: "A packet in words; what is left out is filled in as an ordinary sender would",
  additionalProperties: false,
  required: [],
  properties: {
    sourceMac: { ...macField, description: "Found by the source address when absent" },
    destinationMac: {
      ...macField,
      description: "That of the destination on the same subnet, else of the gateway, when absent",
    },
    vlan: { type: "integer", minimum: 1, maximum: 4094 },
    arp: { enum: ["request", "reply"], description: "An ARP packet about source and destination" },
    source: { ...ipField, description: "Source address" },
    destination: { ...ipField, description: "Destination address" },
    protocol: { ...octet, description: "IP protocol number; ICMP echo of the family when absent" },
    sourcePort: { ...portNumber, description: "Source port, or ICMP identifier" },
    destinationPort: { ...portNumber, description: "Destination port, or ICMP sequence number" },
    ttl: { ...octet, description: "64 when absent" },
    dscp: { type: "integer", minimum: 0, maximum: 63 },
    payloadBytes: { type: "integer", minimum: 0, maximum: 9_000, description: "Zeros after the last header" },
    dontFragment: { type: "boolean", description: "IPv4 DF; set when absent" },
  },
} as const;

/** A packet in words. */
export type PacketDescription = FromSchema<typeof packetDescription>;

/** Body of POST /v1/trace: a frame in hexadecimal, or a packet in words. */
export const traceRequest = {
  type: "object",
  additionalProperties: false,
  required: ["portId"],
  properties: {
    portId: { ...idField, description: "Bound port by which the packet enters" },
    hostId: { ...idField, description: "Host that walks it; the one that the port is bound to when absent" },
    frame: frameField,
    packet: packetDescription,
  },
} as const;

/** Body of POST /v1/trace. */
export type TraceRequest = FromSchema<typeof traceRequest>;

/** Answer of POST /v1/trace: the walk, and what was walked. */
export const traceAnswer = {
  ...agentTrace,
  required: [...agentTrace.required, "portId", "hostId", "frame", "summary"],
  properties: {
    ...agentTrace.properties,
    portId: idField,
    hostId: { ...idField, description: "Host that walked it" },
    frame: frameField,
    summary: { ...textField, description: "The packet in one line" },
    assumed: {
      type: "array",
      items: textField,
      maxItems: 20,
      description: "What the request left out and how it was filled in",
    },
  },
} as const;

/** Answer of POST /v1/trace: the walk, and what was walked. */
export interface TraceAnswer extends AgentTrace {
  readonly portId: string;
  readonly hostId: string;
  readonly frame: string;
  readonly summary: string;
  readonly assumed?: readonly string[];
}

const flowLines = answerOfHosts(
  {
    ...flowLine,
    required: [...flowLine.required, "hostId"],
    properties: { ...flowLine.properties, hostId: idField },
  },
  FLOWS_MAX,
);

/** Answer of GET /v1/flows. */
export const flowsAnswer = {
  ...flowLines,
  required: [...flowLines.required, "total"],
  properties: {
    ...flowLines.properties,
    total: { ...countField, description: "Flows installed on the hosts that answered" },
  },
} as const;

/** Answer of GET /v1/flows. */
export type FlowsAnswer = FromSchema<typeof flowsAnswer>;

/** Answer of GET /v1/drops. */
export const dropsAnswer = answerOfHosts({
  ...dropLine,
  required: [...dropLine.required, "hostId"],
  properties: { ...dropLine.properties, hostId: idField },
});

/** Answer of GET /v1/drops. */
export type DropsAnswer = FromSchema<typeof dropsAnswer>;
