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
import type { BridgePort, Port, RouterPort } from "../model/objects.ts";
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

const BROADCAST = "ff:ff:ff:ff:ff:ff";

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
  const segment = await segmentOf(parts, port);
  if (!segment.ok) return segment;
  const around = { port, packet, ...segment.value };
  const destination = await destinationMacOf(parts, around);
  if (!destination.ok) return destination;
  const source = await sourceMacOf(parts, around);
  if (packet.sourceMac === undefined) assumed.push(`source MAC ${source.mac}, ${source.whose}`);
  if (packet.destinationMac === undefined)
    assumed.push(`destination MAC ${destination.value.mac}, ${destination.value.whose}`);
  const frame = frameOf(packet, { sourceMac: source.mac, destinationMac: destination.value.mac });
  return frame.ok ? ok({ frame: frame.value, assumed }) : frame;
}

/** What a sender sees beside itself. */
interface Segment {
  /** Router ports that a sender could send to: the port itself, or those linked to its bridge. */
  readonly gateways: readonly RouterPort[];
  /** Bridge ports beside which the sender is. */
  readonly neighbors: readonly BridgePort[];
}

interface Surroundings extends Segment {
  readonly port: Port;
  readonly packet: PacketDescription;
}

interface FoundMac {
  readonly mac: string;
  /** How it was found. */
  readonly whose: string;
}

async function segmentOf({ objects }: TraceParts, port: Port): Step<Segment> {
  if (port.deviceKind === "router") return ok({ gateways: [port], neighbors: [] });
  const bridge = await objects.stored("bridge", port.bridgeId);
  if (!bridge.ok) return bridge;
  const gateways: RouterPort[] = [];
  const neighbors: BridgePort[] = [];
  const siblings = await Promise.all(bridge.value.object.portIds.map((id) => objects.stored("port", id)));
  for (const sibling of siblings) {
    if (sibling.ok && sibling.value.object.deviceKind === "bridge") neighbors.push(sibling.value.object);
    const peerId = sibling.ok ? sibling.value.object.peerId : undefined;
    const peer = peerId === undefined ? undefined : await objects.stored("port", peerId);
    if (peer?.ok === true && peer.value.object.deviceKind === "router") gateways.push(peer.value.object);
  }
  return ok({ gateways, neighbors });
}

/** Where a sender would send the packet: to a group, to the neighbor on its own subnet, or to its gateway. */
async function destinationMacOf(parts: TraceParts, around: Surroundings): Step<FoundMac> {
  const { packet, gateways } = around;
  if (packet.destinationMac !== undefined) return ok({ mac: packet.destinationMac, whose: "given" });
  const { destination } = packet;
  if (packet.arp === "request" || destination === undefined) return ok({ mac: BROADCAST, whose: "everybody's" });
  const group = multicastMac(destination);
  if (group !== undefined) return ok({ mac: formatMac(group), whose: "the group's" });
  const owner = gateways.find((gateway) => gateway.addresses.some((address) => hasIp(address, destination)));
  if (owner !== undefined) return ok({ mac: owner.mac, whose: `of port ${owner.id}` });
  const isNear = gateways.some(
    (gateway) => holds(gateway, destination) && (packet.source === undefined || holds(gateway, packet.source)),
  );
  const isAsked = isNear || gateways.length === 0;
  const known = isAsked ? await stationMac(parts, around, destination) : undefined;
  if (known !== undefined) return ok(known);
  const gateway =
    gateways.find((candidate) => packet.source !== undefined && holds(candidate, packet.source)) ?? gateways[0];
  if (!isNear && gateway !== undefined) return ok({ mac: gateway.mac, whose: `the gateway's, port ${gateway.id}` });
  const expected = `the MAC address of ${destination}, which is on the sender's own subnet and in no table of the network`;
  return err(apiError("missing-field", { field: "packet.destinationMac", expected }));
}

/** The address that the network knows of the sender, else any that was seen at the port, else one that nobody has. */
async function sourceMacOf(parts: TraceParts, around: Surroundings): Promise<FoundMac> {
  const { packet, port } = around;
  if (packet.sourceMac !== undefined) return { mac: packet.sourceMac, whose: "given" };
  const known = packet.source === undefined ? undefined : await stationMac(parts, around, packet.source);
  if (known !== undefined) return known;
  const seen = port.deviceKind === "bridge" ? (await macsAt(parts, port))[0] : undefined;
  return seen === undefined
    ? { mac: macOfId(port.id), whose: "made up" }
    : { mac: seen, whose: `seen at port ${port.id}` };
}

/** What the network knows of an address: from its tables, else of the only port that may send from it. */
async function stationMac(parts: TraceParts, around: Surroundings, ip: string): Promise<FoundMac | undefined> {
  const { port, gateways, neighbors } = around;
  const routers = gateways.map((gateway) => ({ kind: "router", id: gateway.routerId }) as const);
  const owners = port.deviceKind === "bridge" ? [{ kind: "bridge", id: port.bridgeId } as const, ...routers] : routers;
  for (const owner of owners) {
    const table = await parts.tables.neighbors(owner);
    const entry = table.ok ? table.value.find((neighbor) => neighbor.ip === ip) : undefined;
    if (entry !== undefined) return { mac: entry.mac, whose: `known to ${owner.kind} ${owner.id}` };
  }
  const [allowed, ...others] = neighbors.filter((each) => each.allowedAddresses?.some((one) => isOnly(one, ip)));
  if (allowed === undefined || others.length > 0) return undefined;
  const [mac, ...more] = allowed.allowedMacs ?? (await macsAt(parts, allowed));
  return mac === undefined || more.length > 0 ? undefined : { mac, whose: `allowed at port ${allowed.id}` };
}

/** MAC addresses that the bridge has seen behind one of its ports. */
async function macsAt({ tables }: TraceParts, port: BridgePort): Promise<readonly string[]> {
  const fdb = await tables.fdb(port.bridgeId);
  return fdb.ok ? fdb.value.filter((entry) => entry.portId === port.id).map((entry) => entry.mac) : [];
}

/** Whether a network consists of one address, which is this. */
function isOnly(network: string, ip: string): boolean {
  return hasIp(network, ip) && (!network.includes("/") || network.endsWith(ip.includes(":") ? "/128" : "/32"));
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
