import { type Ip, isV4 } from "../addr/ip.ts";
import type { Result } from "../base/result.ts";
import type { LinuxError } from "../linux/errno.ts";
import { listAddresses } from "../linux/netlink/route/address.ts";
import { type Link, listLinks } from "../linux/netlink/route/link.ts";
import { hasGro, hasRxChecksum, setGro } from "../linux/offloads.ts";
import { TUNNEL_DEVICE } from "./devices.ts";
import type { HostNetwork } from "./host-network.ts";

/** Kinds of links whose frames arrive by their members: these do the joining. */
const GATHERING: readonly (string | undefined)[] = ["bond", "team", "bridge"];

/**
 * Turns GRO of the VXLAN device off where it would be done twice, and on where it is done nowhere else. The kernel joins segments inside
 * VXLAN already where they arrive, on the underlay's interface: the tunnel's socket takes part in that interface's GRO. What is
 * decapsulated then would queue up for a second NAPI and be looked at again, for nothing.
 */
export async function chooseTunnelGro(host: HostNetwork, underlay: Ip): Promise<Result<undefined, LinuxError>> {
  const addresses = await host.run(listAddresses());
  const links = await host.run(listLinks());
  const own = addresses.ok ? addresses.value.find(({ address }) => isAddress(underlay, address)) : undefined;
  const sources = own === undefined || !links.ok ? [] : sourcesOf(own.ifindex, links.value);
  const isJoined = sources.length > 0 && sources.every((link) => joinsTunnelled(host, link, isV4(underlay)));
  return setGro({ name: TUNNEL_DEVICE, netns: host.netns }, !isJoined);
}

/** The interfaces by which frames for the one of this ifindex arrive on the machine: below VLANs, behind bonds and bridges. */
export function sourcesOf(ifindex: number, links: readonly Link[]): readonly Link[] {
  const link = links.find((candidate) => candidate.ifindex === ifindex);
  if (link === undefined) return [];
  if (GATHERING.includes(link.kind)) {
    const members = links.filter(({ masterIfindex }) => masterIfindex === ifindex);
    return members.flatMap((member) => sourcesOf(member.ifindex, without(links, link)));
  }
  const { kind, peerIfindex, peerNetnsId } = link;
  if (kind === "veth" || peerIfindex === undefined || peerNetnsId !== undefined) return [link];
  const below = sourcesOf(peerIfindex, without(links, link));
  return below.length > 0 ? below : [link];
}

/** A veth hands over what its other end was given, whole. Over IPv6 the outer checksum has to be verified first. */
function joinsTunnelled({ netns }: HostNetwork, { name, kind }: Link, isIpv4: boolean): boolean {
  if (kind === "veth") return true;
  const gro = hasGro({ name, netns });
  if (!gro.ok || !gro.value) return false;
  if (isIpv4) return true;
  const checksum = hasRxChecksum({ name, netns });
  return checksum.ok && checksum.value;
}

function without(links: readonly Link[], link: Link): readonly Link[] {
  return links.filter((other) => other !== link);
}

function isAddress(ip: Ip, bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return isV4(ip) && view.getUint32(0) === ip.w3;
  return [ip.w0, ip.w1, ip.w2, ip.w3].every((word, i) => view.getUint32(4 * i) === word);
}
