import { parseIp, sameIp } from "../addr/ip.ts";
import { formatMac } from "../addr/mac.ts";
import { parsePrefix, prefixContains } from "../addr/prefix.ts";
import { macOfId, parseBody } from "../api-schema/convert.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN } from "../api-schema/limits.ts";
import {
  type PacketDescription,
  type TraceAnswer,
  type TraceRequest,
  traceRequest,
} from "../api-schema/trace-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Port, RouterPort } from "../model/objects.ts";
import { formatFrame } from "../wire/frame.ts";
import type { Agents } from "./agents.ts";
import type { DeviceTables } from "./device-tables.ts";
import type { Objects } from "./objects.ts";
import { frameOf, multicastMac } from "./trace-frame.ts";

type Step<T> = Promise<Result<T, ApiError>>;

/** What tracing needs of the rest of the API. */
export interface TraceParts {
  readonly objects: Objects;
  readonly tables: DeviceTables;
  readonly agents: Agents;
}

interface Found {
  readonly frame: Uint8Array;
  readonly assumed: readonly string[];
}

/** Walks a packet through the live topology, on the host where it would enter. Nothing is sent and nothing is learned. */
export async function trace(parts: TraceParts, body: unknown): Step<TraceAnswer> {
  const parsed = parseBody(traceRequest, body);
  if (!parsed.ok) return parsed;
  const request = parsed.value as unknown as TraceRequest;
  const port = await parts.objects.stored("port", request.portId);
  if (!port.ok) return port;
  const hostId = request.hostId ?? port.value.object.binding?.hostId;
  if (hostId === undefined) {
    const expected = "a port that is bound to a host, or hostId";
    return err(apiError("bad-value", { object: `port ${request.portId}`, field: "portId", expected }));
  }
  const found = await frameFor(parts, port.value.object, request);
  if (!found.ok) return found;
  const frame = Buffer.from(found.value.frame).toString("hex");
  const answer = await parts.agents.trace(hostId, { portId: request.portId, frame });
  if (!answer.ok) return answer;
  const { assumed } = found.value;
  const told = assumed.length === 0 ? {} : { assumed };
  const summary = formatFrame(found.value.frame);
  return ok({ ...answer.value, portId: request.portId, hostId, frame, summary, ...told });
}

async function frameFor(parts: TraceParts, port: Port, request: TraceRequest): Step<Found> {
  if (request.frame !== undefined && request.packet !== undefined) {
    return err(apiError("bad-value", { field: "packet", expected: "a frame or a packet, not both" }));
  }
  if (request.frame !== undefined) {
    const bytes = Uint8Array.from(Buffer.from(request.frame, "hex"));
    const isFrame = bytes.length >= FRAME_BYTES_MIN && bytes.length <= FRAME_BYTES_MAX;
    const expected = `${FRAME_BYTES_MIN} to ${FRAME_BYTES_MAX} bytes, not ${bytes.length}`;
    return isFrame ? ok({ frame: bytes, assumed: [] }) : err(apiError("bad-frame", { field: "frame", expected }));
  }
  if (request.packet === undefined)
    return err(apiError("missing-field", { field: "packet", expected: "a packet or a frame" }));
  const { packet } = request;
  const assumed: string[] = [];
  const gateways = await gatewaysOf(parts, port);
  if (!gateways.ok) return gateways;
  const destinationMac = await destinationMacOf(parts, { port, packet, gateways: gateways.value });
  if (!destinationMac.ok) return destinationMac;
  const sourceMac = await sourceMacOf(parts, { port, packet, gateways: gateways.value });
  if (packet.sourceMac === undefined) assumed.push(`source MAC ${sourceMac}`);
  if (packet.destinationMac === undefined) assumed.push(`destination MAC ${destinationMac.value}`);
  const frame = frameOf(packet, { sourceMac, destinationMac: destinationMac.value });
  return frame.ok ? ok({ frame: frame.value, assumed }) : frame;
}

interface Surroundings {
  readonly port: Port;
  readonly packet: PacketDescription;
  /** Router ports on the segment that the packet enters. */
  readonly gateways: readonly RouterPort[];
}

/** Router ports that a sender behind this port could send to: the port itself, or those linked to its bridge. */
async function gatewaysOf({ objects }: TraceParts, port: Port): Step<readonly RouterPort[]> {
  if (port.deviceKind === "router") return ok([port]);
  const bridge = await objects.stored("bridge", port.bridgeId);
  if (!bridge.ok) return bridge;
  const gateways: RouterPort[] = [];
  const siblings = await Promise.all(bridge.value.object.portIds.map((id) => objects.stored("port", id)));
  for (const sibling of siblings) {
    const peerId = sibling.ok ? sibling.value.object.peerId : undefined;
    const peer = peerId === undefined ? undefined : await objects.stored("port", peerId);
    if (peer?.ok === true && peer.value.object.deviceKind === "router") gateways.push(peer.value.object);
  }
  return ok(gateways);
}

/** Where a sender would send the packet: to a group, to the neighbor on its own subnet, or to its gateway. */
async function destinationMacOf(parts: TraceParts, around: Surroundings): Step<string> {
  const { packet, gateways } = around;
  if (packet.destinationMac !== undefined) return ok(packet.destinationMac);
  if (packet.arp === "request") return ok("ff:ff:ff:ff:ff:ff");
  const { destination } = packet;
  if (destination === undefined) return ok("ff:ff:ff:ff:ff:ff");
  const group = multicastMac(destination);
  if (group !== undefined) return ok(formatMac(group));
  const owner = gateways.find((gateway) => gateway.addresses.some((address) => hasIp(address, destination)));
  if (owner !== undefined) return ok(owner.mac);
  const isNear = gateways.some(
    (gateway) => holds(gateway, destination) && (packet.source === undefined || holds(gateway, packet.source)),
  );
  const known = isNear || gateways.length === 0 ? await neighborMac(parts, around, destination) : undefined;
  if (known !== undefined) return ok(known);
  const gateway =
    gateways.find((candidate) => packet.source !== undefined && holds(candidate, packet.source)) ?? gateways[0];
  if (!isNear && gateway !== undefined) return ok(gateway.mac);
  const expected = `the MAC address of ${destination}, which the network does not know yet`;
  return err(apiError("missing-field", { field: "packet.destinationMac", expected }));
}

/** The address that the network knows of the sender, else any that was seen at the port, else one that nobody has. */
async function sourceMacOf(parts: TraceParts, around: Surroundings): Promise<string> {
  const { packet, port } = around;
  if (packet.sourceMac !== undefined) return packet.sourceMac;
  const known = packet.source === undefined ? undefined : await neighborMac(parts, around, packet.source);
  if (known !== undefined) return known;
  const fdb = port.deviceKind === "bridge" ? await parts.tables.fdb(port.bridgeId) : undefined;
  const seen = fdb?.ok === true ? fdb.value.find((entry) => entry.portId === port.id) : undefined;
  return seen?.mac ?? macOfId(port.id);
}

async function neighborMac(
  { tables }: TraceParts,
  { port, gateways }: Surroundings,
  ip: string,
): Promise<string | undefined> {
  const routers = gateways.map((gateway) => ({ kind: "router", id: gateway.routerId }) as const);
  const owners = port.deviceKind === "bridge" ? [{ kind: "bridge", id: port.bridgeId } as const, ...routers] : routers;
  for (const owner of owners) {
    const neighbors = await tables.neighbors(owner);
    const entry = neighbors.ok ? neighbors.value.find((neighbor) => neighbor.ip === ip) : undefined;
    if (entry !== undefined) return entry.mac;
  }
  return undefined;
}

function holds(port: RouterPort, text: string): boolean {
  const ip = parseIp(text);
  return (
    ip.ok &&
    port.addresses.some((address) => {
      const prefix = parsePrefix(address);
      return prefix.ok && prefixContains(prefix.value, ip.value);
    })
  );
}

function hasIp(address: string, text: string): boolean {
  const prefix = parsePrefix(address);
  const ip = parseIp(text);
  return prefix.ok && ip.ok && sameIp(prefix.value.ip, ip.value);
}
