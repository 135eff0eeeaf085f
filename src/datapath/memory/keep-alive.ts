import { buildKeepAlive, readKeepAlive, readOwnKeepAlive, sequenceAt, setSequenceAt } from "../../flow/keep-alive.ts";
import {
  KEEPALIVE_LENGTH,
  KEEPALIVE_REFUSED,
  KEEPALIVE_REPLIES,
  KEEPALIVE_REPLY,
  KEEPALIVE_REQUEST,
  KEEPALIVE_REQUESTS,
  KEEPALIVE_TRIP,
  KEEPALIVE_UNHEARD,
  KEEPALIVE_WORDS,
  PEER_EPOCH,
  PEER_WORDS,
} from "../../flow/layout.ts";
import type { DatapathMemory } from "../datapath.ts";
import { isTagged } from "./packet.ts";

/** Words of the newest sequences in a record. */
const NEWEST_REQUEST = 0;
const NEWEST_REPLY = 2;

/** What became of a keep-alive; `isNews`: it shows that the peer lives now. */
export type KeepAliveOutcome =
  | { readonly kind: "refused" }
  | { readonly kind: "request"; readonly isNews: boolean; readonly reply: Uint8Array }
  | { readonly kind: "reply"; readonly isNews: boolean };

/** A frame of kind keep-alive from a peer's address, as `bpf/keepalive.h` takes it. */
export function takeKeepAlive(
  memory: DatapathMemory,
  came: { readonly peer: number; readonly frame: Uint8Array; readonly now: number },
): KeepAliveOutcome {
  const { keepAlives, peers } = memory;
  const at = came.peer * KEEPALIVE_WORDS;
  const own = readOwnKeepAlive(keepAlives);
  const sender = peers[came.peer * PEER_WORDS + PEER_EPOCH] as number;
  const isPlain = own !== undefined && !isTagged(came.frame);
  const read = isPlain ? readKeepAlive(came.frame, { sender, receiver: own.epoch }, own.secret) : undefined;
  if (own === undefined || read === undefined) {
    count(keepAlives, at + KEEPALIVE_REFUSED);
    return { kind: "refused" };
  }
  const newestAt = at + (read.kind === KEEPALIVE_REQUEST ? NEWEST_REQUEST : NEWEST_REPLY);
  const isNews = read.sequence > sequenceAt(keepAlives, newestAt);
  if (isNews) setSequenceAt(keepAlives, newestAt, read.sequence);
  if (read.kind === KEEPALIVE_REQUEST) {
    if (isNews) keepAlives[at + KEEPALIVE_UNHEARD] = read.unheard;
    count(keepAlives, at + KEEPALIVE_REQUESTS);
    const answer = { ...read, kind: KEEPALIVE_REPLY, sender: own.epoch, receiver: sender } as const;
    return {
      kind: "request",
      isNews,
      reply: buildKeepAlive({ ...answer, requestBytes: came.frame.length }, own.secret),
    };
  }
  if (isNews) {
    keepAlives[at + KEEPALIVE_LENGTH] = read.requestBytes;
    keepAlives[at + KEEPALIVE_TRIP] = came.now * 1_000 - read.timeUs;
    count(keepAlives, at + KEEPALIVE_REPLIES);
  }
  return { kind: "reply", isNews };
}

function count(words: Uint32Array, at: number): void {
  words[at] = (words[at] as number) + 1;
}
