import { type Ip, isV4 } from "../addr/ip.ts";
import {
  CONTROL_UNDERLAY,
  KEEPALIVE_WORDS,
  PEER_FLAGS,
  PEER_UP,
  PEER_WORDS,
  VPORT_PEER_REDIRECT,
  VPORT_UP,
  VPORT_WORDS,
} from "../flow/layout.ts";
import { closedGeneration, isValidGeneration, openedGeneration } from "../flow/slot-protocol.ts";
import type { DatapathMemory, WantedPeer } from "./datapath.ts";

/** What a vport record says of its interface. */
export interface VportRecord {
  readonly ifindex: number;
  readonly kind: number;
  readonly isUp: boolean;
  readonly mayRedirectPeer: boolean;
  readonly epoch: number;
}

/** Kinds of interfaces in a vport record. */
export const VPORT_KIND = { none: 0, veth: 1, tap: 2, other: 3 } as const;

/** The record of a vport without an interface. */
export const ABSENT_VPORT: VportRecord = {
  ifindex: 0,
  kind: VPORT_KIND.none,
  isUp: false,
  mayRedirectPeer: false,
  epoch: 0,
};

/**
 * Writes words 1.. of a record whose word 0 is a generation: readers see the old words or the new ones. While the generation is odd
 * they drop what they have, and the writer may be interrupted in the middle of it: so a record that says this already is left as it
 * is, and one word that differs is one store.
 */
export function writeRecord(words: Uint32Array, at: number, content: readonly number[]): void {
  const before = words[at] as number;
  if (isValidGeneration(before)) {
    const differing = content.flatMap((word, i) => (words[at + 1 + i] === word >>> 0 ? [] : [i]));
    const [first] = differing;
    if (first === undefined) return;
    if (differing.length === 1) {
      Atomics.store(words, at + 1 + first, (content[first] as number) >>> 0);
      return;
    }
  }
  const opened = openedGeneration(before);
  Atomics.store(words, at, opened);
  words.set(content, at + 1);
  Atomics.store(words, at, closedGeneration(opened));
}

/** Writes a vport's record; its credits stay, and get `credits` when they were never set. */
export function writeVport(
  vports: Uint32Array,
  vport: number,
  write: { readonly record: VportRecord; readonly credits: readonly [number, number] },
): void {
  const at = vport * VPORT_WORDS;
  writeRecord(vports, at, vportWords(write.record));
  if (vports[at + 5] === 0 && vports[at + 6] === 0) vports.set(write.credits, at + 5);
}

/** Whether a vport's record says this. */
export function isVport(vports: Uint32Array, vport: number, record: VportRecord): boolean {
  return isRecord(vports, vport * VPORT_WORDS, vportWords(record));
}

/** Which kind of interface a vport is on. */
export function vportKind(vports: Uint32Array, vport: number): number {
  return vports[vport * VPORT_WORDS + 2] ?? VPORT_KIND.none;
}

function vportWords({ ifindex, kind, isUp, mayRedirectPeer, epoch }: VportRecord): readonly number[] {
  return [ifindex, kind, (isUp ? VPORT_UP : 0) | (mayRedirectPeer ? VPORT_PEER_REDIRECT : 0), epoch];
}

function isRecord(words: Uint32Array, at: number, content: readonly number[]): boolean {
  return ((words[at] as number) & 1) === 0 && content.every((word, i) => words[at + 1 + i] === word >>> 0);
}

/** Writes a peer's record. */
export function writePeer(peers: Uint32Array, peer: WantedPeer): void {
  writeRecord(peers, peer.peer * PEER_WORDS, peerWords(peer, peer.isUp ? PEER_UP : 0));
}

/** Puts a peer's record right; whether it may be sent to stays as it is. False: it was right. */
export function mendPeer(peers: Uint32Array, peer: WantedPeer): boolean {
  const at = peer.peer * PEER_WORDS;
  const words = peerWords(peer, peers[at + PEER_FLAGS] as number);
  if (isRecord(peers, at, words)) return false;
  writeRecord(peers, at, words);
  return true;
}

function peerWords({ address, mtu, epoch }: WantedPeer, flags: number): readonly number[] {
  return [...addressWords(address), mtu, flags, epoch];
}

/** Takes a peer out; what it said in keep-alives is forgotten. */
export function clearPeer({ peers, keepAlives }: DatapathMemory, peer: number): void {
  writeRecord(peers, peer * PEER_WORDS, [0, 0, 0, 0, 0, 0, 0, 0]);
  keepAlives.fill(0, peer * KEEPALIVE_WORDS, (peer + 1) * KEEPALIVE_WORDS);
}

/** Says whether a peer may be sent to: one store, which every flow to it follows from the next frame on. */
export function setPeerUp(peers: Uint32Array, peer: number, isUp: boolean): void {
  Atomics.store(peers, peer * PEER_WORDS + PEER_FLAGS, isUp ? PEER_UP : 0);
}

/** Writes our own address on the underlay. */
export function writeUnderlay(control: Uint32Array, address: Ip): void {
  control.set(addressWords(address), CONTROL_UNDERLAY);
}

/** Family and four words of an address: IPv4 as a number in host order, IPv6 in wire order. */
export function addressWords(address: Ip): readonly [number, number, number, number, number] {
  if (isV4(address)) return [4, address.w3, 0, 0, 0];
  return [6, swap32(address.w0), swap32(address.w1), swap32(address.w2), swap32(address.w3)];
}

function swap32(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
