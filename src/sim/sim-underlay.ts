import { type Ip, parseIp } from "../addr/ip.ts";
import { type FlowTag, hashIp, tagObject } from "../flow/tag.ts";
import type { TunnelZone } from "../model/objects.ts";
import { equalIp } from "./ip-words.ts";

/** The addresses of all hosts in this host's tunnel zones: where no frame of a tenant may go. */
export class SimUnderlay {
  /** Earned by whoever asks; zones together have one, as any of them may gain an address. No object has handle 0. */
  readonly tag: FlowTag = tagObject(0);
  readonly #zones = new Map<number, readonly Ip[]>();
  #byHash = new Map<number, readonly Ip[]>();

  /** Takes a zone as it is now; undefined: it is gone. False: it was never there. */
  set(handle: number, zone: TunnelZone | undefined): boolean {
    if (zone === undefined && !this.#zones.delete(handle)) return false;
    if (zone !== undefined)
      this.#zones.set(
        handle,
        zone.members.flatMap(({ address }) => addressOf(address)),
      );
    const byHash = new Map<number, Ip[]>();
    for (const ip of [...this.#zones.values()].flat()) {
      const same = byHash.get(hashIp(ip));
      if (same === undefined) byHash.set(hashIp(ip), [ip]);
      else same.push(ip);
    }
    this.#byHash = byHash;
    return true;
  }

  /** Whether a host has this address on the underlay. */
  has(ip: Ip): boolean {
    return this.#byHash.get(hashIp(ip))?.some((each) => equalIp(each, ip)) === true;
  }
}

function addressOf(text: string): readonly Ip[] {
  const ip = parseIp(text);
  return ip.ok ? [ip.value] : [];
}
