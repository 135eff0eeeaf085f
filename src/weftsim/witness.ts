import { formatIp } from "../addr/ip.ts";
import { formatMac } from "../addr/mac.ts";
import type { Opinion } from "../agent/core/messages.ts";
import type { WorldChange } from "../sim/world-change.ts";

/** Most violations that are kept; one is enough to fail. */
const VIOLATIONS_MAX = 20;

/** Sees every opinion that any agent of a cloud ever gave, and every entry that any agent took from a map: none may be invented. */
export class Witness {
  readonly violations: string[] = [];
  readonly #opinions = new Set<string>();

  /** An agent gives an opinion. */
  gave(opinion: Opinion): void {
    this.#opinions.add(textOfOpinion(opinion));
  }

  /** A worker's audit of its own flows found one that is not what a simulation says: something was not revoked. */
  audited(host: string, difference: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(`${host}'s audit found ${difference}`);
  }

  /** An agent of `host` was told an entry of a map. */
  took(host: string, change: WorldChange): void {
    const text = textOfEntry(change);
    if (text === undefined || this.#opinions.has(text) || this.violations.length >= VIOLATIONS_MAX) return;
    this.violations.push(`${host} was told ${text}, which nobody ever said`);
  }
}

function textOfOpinion(opinion: Opinion): string {
  switch (opinion.map) {
    case "fdb":
      return `fdb ${opinion.deviceId}: ${opinion.vlan} ${formatMac(opinion.mac)} at ${opinion.portId}`;
    case "neighbor":
      return `neighbor ${opinion.deviceId}: ${formatIp(opinion.ip)} is ${formatMac(opinion.entry.mac)}`;
    case "bridge-neighbor":
      return `bridge-neighbor ${opinion.deviceId}: ${formatIp(opinion.ip)} is ${formatMac(opinion.mac)}`;
  }
}

/** Undefined for a change that is no entry, or the end of one. */
function textOfEntry(change: WorldChange): string | undefined {
  switch (change.kind) {
    case "fdb":
      if (change.portId === undefined) return undefined;
      return `fdb ${change.bridgeId}: ${change.vlan} ${formatMac(change.mac)} at ${change.portId}`;
    case "router-neighbor":
      if (change.entry === undefined) return undefined;
      return `neighbor ${change.routerId}: ${formatIp(change.ip)} is ${formatMac(change.entry.mac)}`;
    case "bridge-neighbor":
      if (change.mac === undefined) return undefined;
      return `bridge-neighbor ${change.bridgeId}: ${formatIp(change.ip)} is ${formatMac(change.mac)}`;
    default:
      return undefined;
  }
}
