import type { Instant } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { DatapathMemory } from "../../datapath/datapath.ts";
import { sequenceAt, setSequenceAt } from "../../flow/keep-alive.ts";
import {
  KEEPALIVE_LENGTH,
  KEEPALIVE_REFUSED,
  KEEPALIVE_REPLIES,
  KEEPALIVE_REQUESTS,
  KEEPALIVE_TRIP,
  KEEPALIVE_UNHEARD,
  KEEPALIVE_WORDS,
  PEER_EPOCH,
  PEER_FAMILY,
  PEER_MAX,
  PEER_SENT,
  PEER_WORDS,
} from "../../flow/layout.ts";
import {
  PEER_DEAD_MS,
  PEER_IDLE_MS,
  PEER_LOOK_MS,
  PEER_MISSES,
  PEER_QUIET_MS,
  PEER_RETRY_MS,
  PEER_USED_MS,
  PEERS_AT_FULL_PACE,
} from "./limits.ts";

/**
 * What is known of a peer's datapath. `unknown`: it was not heard of yet, or never answered a keep-alive (an older release, another
 * secret), so that its silence says nothing. `suspect`: it missed at least one answer. Only `dead` stops forwarding.
 */
export type LifeState = "unknown" | "alive" | "suspect" | "dead";

/** One peer's life. `since` is monotonic. */
export interface PeerLife {
  readonly peer: number;
  /** Names the host, see `epochOf`. */
  readonly epoch: number;
  readonly state: LifeState;
  readonly since: Instant;
  /** Round trip of the last answered keep-alive in microseconds, and the length of its inner frame; 0: none yet. */
  readonly tripUs: number;
  readonly answeredBytes: number;
}

/** Why a peer is dead: nothing is heard of it, or it says that it hears nothing of us, so that nothing we send gets there. */
export type DeathCause = "silent" | "deaf";

/** What a question to a peer says. `unheard`: questions before it, in a row, to which nothing was heard. */
export interface Question {
  readonly epoch: number;
  readonly sequence: number;
  readonly unheard: number;
}

/** What is to be done after a look. */
export type LivenessEffect =
  | ({ readonly kind: "probe"; readonly peer: number } & Question)
  | {
      readonly kind: "life";
      readonly peer: number;
      readonly state: LifeState;
      readonly before: LifeState;
      /** Of a peer that is dead now. */
      readonly why: DeathCause | undefined;
    };

interface Track {
  readonly peer: number;
  readonly epoch: number;
  state: LifeState;
  since: Instant;
  /** The words of the datapath when they were looked at last. */
  seenWord: number;
  sentWord: number;
  heardAt: Instant;
  usedUntil: Instant;
  /** Questions without an answer. */
  missed: number;
  /** Questions since it was heard of. */
  unheard: number;
  /** It has said that it hears nothing of us, and has answered nothing since. */
  isDeaf: boolean;
  /** Replies taken so far, and the newest of its requests (low word) that one of them has outdated. */
  replies: number;
  outdated: number;
  /** Keep-alives of it that were refused before it was heard of last. */
  refused: number;
  askAt: Instant;
  sequence: number;
}

/** Sequences of the newest request and the newest reply in a keep-alive record. */
const NEWEST_REQUEST = 0;
const NEWEST_REPLY = 2;

/**
 * Tells which peers live, from the words that the datapath writes: when each was heard of, and when something was sent to it. A peer
 * that is used and silent is asked, and after some unanswered questions it is dead; whoever is heard of again lives at once.
 *
 * A path may be broken in one direction only. Each question says how many before it were followed by silence. Who is asked and reads
 * that its answers do not arrive knows that its own direction is broken: the peer, although heard of, is dead (deaf) until it answers
 * a question of ours or says otherwise.
 *
 * Nobody dies because we slept: a question counts as missed only when a look that came at least PEER_RETRY_MS after it finds
 * nothing new, and the datapath notes what comes in meanwhile without us.
 */
export class Liveness {
  readonly #memory: Pick<DatapathMemory, "peers" | "peerSeen" | "keepAlives">;
  readonly #prng: Prng;
  readonly #tracks = new Map<number, Track>();
  #effects: LivenessEffect[] = [];
  #used = 0;
  #nextAt: Instant = 0;

  constructor(memory: Pick<DatapathMemory, "peers" | "peerSeen" | "keepAlives">, prng: Prng) {
    this.#memory = memory;
    this.#prng = prng;
  }

  /** When to look again. */
  get nextAt(): Instant {
    return this.#nextAt;
  }

  /** Peers to which something was sent lately. */
  get used(): number {
    return this.#used;
  }

  /** Looks at all peers. `now` is CLOCK_MONOTONIC, as the datapath's; `wall` only seeds sequences; without a secret nobody is asked. */
  look(now: Instant, wall: Instant, mayAsk: boolean): readonly LivenessEffect[] {
    this.#effects = [];
    this.#follow(now, wall);
    let used = 0;
    for (const track of this.#tracks.values()) {
      this.#hear(track, now);
      if (track.usedUntil > now) used++;
    }
    this.#used = used;
    let nextAt = now + (used > 0 ? PEER_LOOK_MS.used : PEER_LOOK_MS.idle);
    for (const track of this.#tracks.values()) {
      if (mayAsk) this.#ask(track, now);
      nextAt = Math.min(nextAt, mayAsk ? track.askAt : nextAt, this.#patience(track, now));
    }
    this.#nextAt = Math.max(nextAt, now + PEER_LOOK_MS.least);
    return this.#effects;
  }

  /** When to look again for the sake of one peer. */
  #patience({ peer, state, usedUntil, heardAt, outdated }: Track, now: Instant): Instant {
    if (state === "dead") return usedUntil > now ? now + PEER_LOOK_MS.dead : Number.POSITIVE_INFINITY;
    // It waits for our answers, and asks every PEER_RETRY_MS: its verdict is to be seen when it falls.
    const isWarned = this.#wordOf(peer, NEWEST_REQUEST) !== outdated && this.#wordOf(peer, KEEPALIVE_UNHEARD) > 0;
    return isWarned && now < heardAt + 2 * PEER_RETRY_MS ? now + PEER_LOOK_MS.least : Number.POSITIVE_INFINITY;
  }

  /** What a question beyond the usual ones is to say; it never counts as missed. Undefined: no such peer. */
  question(peer: number): Question | undefined {
    const track = this.#tracks.get(peer);
    return track === undefined ? undefined : nextQuestion(track);
  }

  /** Every peer. */
  lives(): readonly PeerLife[] {
    const { keepAlives } = this.#memory;
    return [...this.#tracks.values()].map(({ peer, epoch, state, since }) => {
      const at = peer * KEEPALIVE_WORDS;
      const tripUs = keepAlives[at + KEEPALIVE_TRIP] as number;
      return { peer, epoch, state, since, tripUs, answeredBytes: keepAlives[at + KEEPALIVE_LENGTH] as number };
    });
  }

  /** Begins with new peers, ends with those that are gone. */
  #follow(now: Instant, wall: Instant): void {
    const { peers } = this.#memory;
    for (let peer = 1; peer < PEER_MAX; peer++) {
      const at = peer * PEER_WORDS;
      const track = this.#tracks.get(peer);
      const epoch = peers[at + PEER_FAMILY] === 0 ? 0 : (peers[at + PEER_EPOCH] as number);
      if (track?.epoch === epoch || (track === undefined && epoch === 0)) continue;
      if (epoch === 0) this.#tracks.delete(peer);
      else this.#tracks.set(peer, this.#begin(peer, epoch, { now, wall }));
    }
  }

  #begin(peer: number, epoch: number, { now, wall }: { readonly now: Instant; readonly wall: Instant }): Track {
    const { peers, peerSeen, keepAlives } = this.#memory;
    const at = peer * KEEPALIVE_WORDS + NEWEST_REPLY;
    // Above all that earlier agents of this host asked: old replies that somebody recorded are no news.
    const sequence = Math.max(sequenceAt(keepAlives, at), Math.floor(wall), 0);
    setSequenceAt(keepAlives, at, sequence);
    return {
      ...{ peer, epoch, state: "unknown", since: now, sequence },
      ...{ seenWord: peerSeen[peer] as number, sentWord: peers[peer * PEER_WORDS + PEER_SENT] as number },
      ...{ heardAt: Number.NEGATIVE_INFINITY, usedUntil: now, missed: 0, refused: this.#refusedOf(peer) },
      ...{ unheard: 0, isDeaf: false, replies: this.#wordOf(peer, KEEPALIVE_REPLIES) },
      outdated: this.#wordOf(peer, NEWEST_REQUEST),
      askAt: now + this.#prng.float() * PEER_IDLE_MS,
    };
  }

  /** Takes what the datapath noted of a peer since the last look. */
  #hear(track: Track, now: Instant): void {
    const { peers, peerSeen } = this.#memory;
    const seen = peerSeen[track.peer] as number;
    const sent = peers[track.peer * PEER_WORDS + PEER_SENT] as number;
    if (sent !== track.sentWord) {
      const wasUsed = track.usedUntil > now;
      track.sentWord = sent;
      track.usedUntil = now + PEER_USED_MS;
      if (!wasUsed) track.askAt = Math.min(track.askAt, track.missed === 0 ? track.heardAt + PEER_QUIET_MS : now);
    }
    if (seen === track.seenWord) return;
    track.seenWord = seen;
    track.heardAt = Math.max(track.heardAt, now - Math.max(0, (Math.floor(now) - seen) | 0));
    track.refused = this.#refusedOf(track.peer);
    track.unheard = 0;
    if (this.#hearsNothing(track)) return this.#deafen(track, now);
    track.isDeaf = false;
    track.missed = 0;
    track.askAt = track.heardAt + this.#quietMs(track, now);
    this.#become(track, "alive", now);
  }

  /** Whether it says so. A reply says that it heard our question, and counts for more than what it said before. */
  #hearsNothing(track: Track): boolean {
    const { peer } = track;
    const replies = this.#wordOf(peer, KEEPALIVE_REPLIES);
    const newest = this.#wordOf(peer, NEWEST_REQUEST);
    if (replies !== track.replies) track.outdated = newest;
    track.replies = replies;
    return newest !== track.outdated && this.#wordOf(peer, KEEPALIVE_UNHEARD) >= PEER_MISSES;
  }

  /** It is asked at once, and on as a dead peer is: an answer shows that the way there is whole again. */
  #deafen(track: Track, now: Instant): void {
    if (track.isDeaf) return;
    track.isDeaf = true;
    track.missed = PEER_MISSES - 1;
    track.askAt = now;
    this.#become(track, "dead", now);
  }

  #ask(track: Track, now: Instant): void {
    if (now < track.askAt) return;
    if (track.missed > 0 && track.state === "alive") this.#become(track, "suspect", now);
    if (track.missed >= PEER_MISSES) return this.#giveUp(track, now);
    track.missed++;
    track.askAt = now + PEER_RETRY_MS;
    this.#probe(track);
  }

  #probe(track: Track): void {
    this.#effects.push({ kind: "probe", peer: track.peer, ...nextQuestion(track) });
    track.unheard++;
  }

  /**
   * Nobody answers. It is asked on, one question at a time. Of one that never answered, or that speaks to us with another secret, that
   * means nothing. One that dies hears so at once: it may be only the way from it that is broken.
   */
  #giveUp(track: Track, now: Instant): void {
    const isNews = track.state !== "dead";
    this.#become(track, track.isDeaf || this.#wouldAnswer(track) ? "dead" : "unknown", now);
    if (isNews && track.state === "dead") this.#probe(track);
    track.missed = PEER_MISSES - 1;
    track.askAt = now + (track.usedUntil > now ? PEER_DEAD_MS : PEER_IDLE_MS * (0.5 + this.#prng.float()));
  }

  #wouldAnswer({ peer, refused }: Track): boolean {
    if (refused !== this.#refusedOf(peer)) return false;
    return this.#wordOf(peer, KEEPALIVE_REQUESTS) !== 0 || this.#wordOf(peer, KEEPALIVE_REPLIES) !== 0;
  }

  #refusedOf(peer: number): number {
    return this.#wordOf(peer, KEEPALIVE_REFUSED);
  }

  #wordOf(peer: number, word: number): number {
    return this.#memory.keepAlives[peer * KEEPALIVE_WORDS + word] as number;
  }

  #quietMs(track: Track, now: Instant): number {
    if (track.usedUntil <= now) return PEER_IDLE_MS * (0.5 + 0.5 * this.#prng.float());
    return PEER_QUIET_MS * Math.max(1, this.#used / PEERS_AT_FULL_PACE);
  }

  #become(track: Track, state: LifeState, now: Instant): void {
    const before = track.state;
    if (before === state) return;
    track.state = state;
    track.since = now;
    const why = state !== "dead" ? undefined : track.isDeaf ? "deaf" : "silent";
    this.#effects.push({ kind: "life", peer: track.peer, state, before, why });
  }
}

function nextQuestion(track: Track): Question {
  track.sequence++;
  return { epoch: track.epoch, sequence: track.sequence, unheard: track.unheard };
}
