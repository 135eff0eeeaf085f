import { type Link, linkFlags } from "../linux/netlink/route/link.ts";
import { INJECT_DEVICE, INJECT_PEER, TUNNEL_DEVICE } from "./devices.ts";
import type { HostSurvey } from "./host-survey.ts";

const OWN_DEVICES: readonly string[] = [INJECT_DEVICE, INJECT_PEER, TUNNEL_DEVICE];
/** Kinds of virtual devices that stand for what is below them. */
const STACKED_KINDS: readonly string[] = ["bond", "team", "vlan"];

/** What decides, beside the link itself. */
export interface BindingPlace {
  readonly survey: Pick<HostSurvey, "hasAddress" | "hasDefaultRoute">;
  /** Whether the port is said to lead to a physical network. */
  readonly isExternal: boolean;
}

/** Why a port cannot be on this interface, as a sentence that says what to do; undefined: it can. */
export async function whyNotBound(link: Link, { survey, isExternal }: BindingPlace): Promise<string | undefined> {
  const taken = `interface ${link.name} cannot be bound:`;
  if ((link.flags & linkFlags.loopback) !== 0) return `${taken} it is the loopback`;
  if (OWN_DEVICES.includes(link.name)) return `${taken} it is one of weft's own`;
  if (link.masterIfindex !== undefined && link.masterIfindex !== 0)
    return `${taken} it belongs to a bridge or bond; take it out first`;
  if (await survey.hasAddress(link.ifindex))
    return `${taken} the host has an address on it; remove the address if the interface shall carry virtual ports`;
  if (await survey.hasDefaultRoute(link.ifindex))
    return `${taken} the host's default route leaves by it; remove the route if the interface shall carry virtual ports`;
  if (!isExternal && isHardware(link))
    return `${taken} it leads to a physical network; say so first (weft update port NAME --external), so that nothing leaves by it for the underlay`;
  return undefined;
}

function isHardware({ kind }: Link): boolean {
  return kind === undefined || STACKED_KINDS.includes(kind);
}
