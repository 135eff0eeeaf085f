import type { Duration, Instant } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Prng } from "../base/prng.ts";
import type { Result } from "../base/result.ts";
import { type Scheduler, sleep, type Timer } from "../base/scheduler.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import { setPeerUp } from "../datapath/records.ts";
import { buildKeepAlive, type OwnKeepAlive, readOwnKeepAlive, writeOwnKeepAlive } from "../flow/keep-alive.ts";
import {
  KEEPALIVE_LENGTH,
  KEEPALIVE_REPLIES,
  KEEPALIVE_REQUEST,
  KEEPALIVE_WORDS,
  TUNNEL_KIND_KEEPALIVE,
  TUNNEL_KIND_SHIFT,
} from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import { formatStoreError, type StoreError } from "../store/recipes/store-error.ts";
import type { PeerLives } from "./agent-state.ts";
import type { ControlEvent } from "./core/control-events.ts";
import { epochOf } from "./core/epoch.ts";
import { Liveness, type LivenessEffect, type PeerLife } from "./core/liveness.ts";
import { Refusals } from "./core/refusals.ts";
import { PATH_LOOK_MS, PATH_PROBE_MS, PATH_PROBES } from "./doctor/limits.ts";
import { SECRET_AGAIN_MS, SECRET_RETRY_MS, TIME_MS } from "./limits.ts";

/** What keep-alives need. */
export interface KeepAliveParts {
  readonly hostId: Id;
  readonly datapath: DatapathControl;
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly log: Log;
  /** Reads the cloud's secret from the store, or writes the first. */
  findSecret(): Promise<Result<string, StoreError>>;
  /** Tells the control core. */
  dispatch(event: ControlEvent): void;
}

/**
 * The hands of `core/liveness.ts`: looks at the peers when it is time, sends what is to be asked, and takes a dead peer out of the
 * datapath with one store before anybody else is told. Nothing is written to the store.
 */
export class KeepAlives {
  readonly #parts: KeepAliveParts;
  readonly #liveness: Liveness;
  readonly #epoch: number;
  #own: OwnKeepAlive | undefined;
  #timer: Timer | undefined;
  #timeAt: Instant;
  #isClosed = false;
  #isLearning = false;
  #learnedAt: Instant = 0;
  readonly #refusals: Refusals;

  constructor(parts: KeepAliveParts) {
    this.#parts = parts;
    this.#epoch = epochOf(parts.hostId);
    this.#timeAt = parts.scheduler.clock.now();
    this.#refusals = new Refusals(parts.datapath.memory.keepAlives);
    this.#liveness = new Liveness(parts.datapath.memory, parts.prng);
    // An earlier agent of this host left it: the store need not be there to go on.
    const left = readOwnKeepAlive(parts.datapath.memory.keepAlives);
    this.#own = left?.epoch === this.#epoch ? left : undefined;
  }

  /** Reads the secret once more: the store was restored, or somebody has another one. */
  learnAgain(): void {
    void this.#learnSecret();
  }

  /** How long ago a keep-alive of a peer was last found refused; undefined: never. */
  refusedMs(peer: number): Duration | undefined {
    const newest = this.#refusals.newest(peer);
    return newest === undefined ? undefined : this.#parts.scheduler.clock.now() - newest;
  }

  /** Begins to look. Peers are asked when the cloud's secret is known. */
  start(): void {
    void this.#learnSecret();
    this.#look();
  }

  async #learnSecret(): Promise<void> {
    if (this.#isLearning) return;
    this.#isLearning = true;
    const { findSecret, scheduler, log } = this.#parts;
    for (let isFirst = true; !this.#isClosed; isFirst = false) {
      const found = await findSecret();
      this.#learnedAt = scheduler.clock.now();
      if (found.ok) {
        this.#isLearning = false;
        return this.#setSecret(found.value);
      }
      if (isFirst && !this.#isClosed) log.warn("keep-alive.no-secret", { why: formatStoreError(found.error) });
      await sleep(scheduler, SECRET_RETRY_MS);
    }
  }

  #setSecret(text: string): void {
    if (this.#isClosed) return;
    const secret = Array.from({ length: 4 }, (_, i) => Number.parseInt(text.slice(8 * i, 8 * i + 8), 16));
    const own = { epoch: this.#epoch, secret };
    const isSame = this.#own?.secret !== undefined && secret.every((word, i) => word === this.#own?.secret[i]);
    this.#own = own;
    if (!isSame) writeOwnKeepAlive(this.#parts.datapath.memory.keepAlives, own);
  }

  /** Every peer, as last looked at. */
  lives(): readonly PeerLife[] {
    return this.#liveness.lives();
  }

  /** How every peer lives, by its number. */
  states(): ReadonlyMap<number, PeerLife["state"]> {
    return new Map(this.lives().map(({ peer, state }) => [peer, state]));
  }

  /** Every peer as the API shows it. `hostOf`: the host behind a peer's number. */
  shown(hostOf: (peer: number) => Id | undefined): PeerLives {
    const { clock } = this.#parts.scheduler;
    const offset = clock.wall() - clock.now();
    return this.lives().flatMap(({ peer, state, since, tripUs }) => {
      const hostId = hostOf(peer);
      if (hostId === undefined) return [];
      return [{ hostId, state, since: Math.floor(since + offset), ...(tripUs > 0 && { roundTripUs: tripUs }) }];
    });
  }

  /**
   * Whether a keep-alive of `bytes` (inner frame) gets through to a peer and is answered. Undefined: it cannot be asked. The answer
   * is short, so that only the way there is judged.
   */
  async probePath(peer: number, bytes: number): Promise<boolean | undefined> {
    const { scheduler, datapath } = this.#parts;
    const { keepAlives } = datapath.memory;
    const at = peer * KEEPALIVE_WORDS;
    const before = keepAlives[at + KEEPALIVE_REPLIES];
    for (let attempt = 0; attempt < PATH_PROBES; attempt++) {
      const question = this.#liveness.question(peer);
      if (question === undefined || this.#own === undefined) return undefined;
      this.#ask({ kind: "probe", peer, ...question }, scheduler.clock.now(), bytes);
      for (let waited = 0; waited < PATH_PROBE_MS; waited += PATH_LOOK_MS) {
        await sleep(scheduler, PATH_LOOK_MS);
        // The length is that of the newest reply; a short one that came after ours is followed by our next attempt.
        if (keepAlives[at + KEEPALIVE_REPLIES] !== before && keepAlives[at + KEEPALIVE_LENGTH] === bytes) return true;
      }
    }
    return false;
  }

  /** Stops. The datapath goes on answering others. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#isClosed) return;
    const { scheduler, dispatch } = this.#parts;
    const { clock } = scheduler;
    const now = clock.now();
    for (const effect of this.#liveness.look(now, clock.wall(), this.#own !== undefined)) this.#perform(effect, now);
    const elapsed = now - this.#timeAt;
    if (elapsed >= TIME_MS) {
      this.#timeAt = now;
      if (this.#refusals.look(now) && now - this.#learnedAt >= SECRET_AGAIN_MS) this.learnAgain();
      dispatch({ kind: "time", elapsed });
    }
    this.#timer = scheduler.after(this.#liveness.nextAt - now, () => this.#look());
  }

  #perform(effect: LivenessEffect, now: Instant): void {
    if (effect.kind === "probe") return this.#ask(effect, now);
    const { peer, state, before, why } = effect;
    if (state === "suspect" || (before === "suspect" && state === "alive")) return;
    const { datapath, dispatch } = this.#parts;
    if (state === "dead" || before === "dead") setPeerUp(datapath.memory.peers, peer, state !== "dead");
    dispatch({ kind: "peer-life", peer, life: state, why });
  }

  #ask(probe: LivenessEffect & { kind: "probe" }, now: Instant, bytes?: number): void {
    if (this.#own === undefined) return;
    const timeUs = Math.floor(now * 1_000) >>> 0;
    const { peer, epoch: receiver, sequence } = probe;
    const asked = {
      kind: KEEPALIVE_REQUEST,
      sender: this.#epoch,
      receiver,
      sequence,
      timeUs,
      requestBytes: 0,
      unheard: probe.unheard,
    } as const;
    const frame = buildKeepAlive(asked, this.#own.secret, bytes);
    // What the kernel refuses is counted by the datapath as inject-failed; to the peer it is a question without an answer.
    this.#parts.datapath.sendToPeer(peer, TUNNEL_KIND_KEEPALIVE << TUNNEL_KIND_SHIFT, frame);
  }
}
