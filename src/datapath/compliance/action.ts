import type { Ip } from "../../addr/ip.ts";
import { type Mac, macHigh, macLow } from "../../addr/mac.ts";
import { type DropReason, dropCode } from "../../flow/drop-reason.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_DSCP,
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
} from "../../flow/layout.ts";

/** Where a frame goes. */
export type Target =
  | { readonly vport: number }
  | { readonly peer: number; readonly tunnelKey: number }
  | { readonly group: number }
  | { readonly drop: DropReason };

/** An action as one says it. */
export interface ActionSpec {
  readonly to: Target;
  readonly macs?: { readonly dst: Mac; readonly src: Mac };
  /** IPv4 as a number, IPv6 as words. */
  readonly src?: number | Ip;
  readonly dst?: number | Ip;
  readonly ports?: { readonly src: number; readonly dst: number };
  readonly decrementTtl?: number;
  readonly dscp?: number;
  readonly maxLength?: number;
  readonly pop?: number;
  /** TCIs to push, outermost first. */
  readonly push?: readonly number[];
}

/** The words of an action. */
export function actionOf(spec: ActionSpec): Uint32Array {
  const words = new Uint32Array(ACTION_WORDS);
  const { macs, src, dst, ports, decrementTtl, dscp, maxLength = 0, pop = 0, push = [] } = spec;
  words.set(targetWords(spec.to));
  let flags = (pop << ACTION_POP_SHIFT) | (push.length << ACTION_PUSH_SHIFT);
  if (macs !== undefined) {
    flags |= ACTION_SET_MAC;
    words.set(macWords(macs), 4);
  }
  if (src !== undefined) {
    flags |= ACTION_SET_SRC;
    words.set(addressWords(src), 8);
  }
  if (dst !== undefined) {
    flags |= ACTION_SET_DST;
    words.set(addressWords(dst), 12);
  }
  if (ports !== undefined) {
    flags |= ACTION_SET_PORTS;
    words[16] = wire32(ports.src * 0x1_0000 + ports.dst);
  }
  if (decrementTtl !== undefined) flags |= ACTION_DEC_TTL;
  if (dscp !== undefined) flags |= ACTION_SET_DSCP;
  words[0] = ((words[0] as number) | flags) >>> 0;
  words[3] = maxLength | ((decrementTtl ?? 0) << 16) | ((dscp ?? 0) << 24);
  words[7] = (push[0] ?? 0) | ((push[1] ?? 0) << 16);
  return words;
}

function targetWords(to: Target): readonly number[] {
  if ("vport" in to) return [ACTION_VPORT, to.vport];
  if ("peer" in to) return [ACTION_TUNNEL, to.peer, to.tunnelKey];
  if ("group" in to) return [ACTION_GROUP, to.group];
  return [ACTION_DROP, dropCode(to.drop)];
}

function macWords({ dst, src }: { readonly dst: Mac; readonly src: Mac }): readonly number[] {
  const middle = ((macLow(dst) & 0xffff) << 16) | macHigh(src);
  return [wire32(macHigh(dst) * 0x1_0000 + (macLow(dst) >>> 16)), wire32(middle), wire32(macLow(src))];
}

function addressWords(address: number | Ip): readonly number[] {
  if (typeof address === "number") return [wire32(address)];
  return [address.w0, address.w1, address.w2, address.w3].map(wire32);
}

/** A 32-bit number as the word that has its bytes in wire order. */
function wire32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
