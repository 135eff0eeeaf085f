import { unreachable } from "../../base/assert.ts";
import type { Duration, Instant } from "../../base/clock.ts";
import type { DatapathWorker, UpcallRecord } from "../../datapath/datapath.ts";
import { KEY_WORDS, UPCALL_KEY, UPCALL_MISS, UPCALL_TOO_BIG, UPCALL_TTL_EXPIRED } from "../../flow/layout.ts";
import { tagFlood } from "../../flow/tag.ts";
import { frameTtl } from "../../sim/frame-ttl.ts";
import type { DropResult, EmittedFrame, ForwardResult, SimResult, WalkFacts } from "../../sim/result.ts";
import { isTtlUsedUp } from "../../sim/result.ts";
import type { FrameBytes, SimInput } from "../../sim/sim-input.ts";
import type { Simulator } from "../../sim/simulator.ts";
import type { NeighborKey } from "../../state/neighbor-resolver.ts";
import { FlowAudit } from "./audit.ts";
import { FlowBook, type NewFlow } from "./flow-book.ts";
import { Groups } from "./groups.ts";
import { IcmpBudget } from "./icmp-budget.ts";
import {
  EMIT_DEPTH_MAX,
  FLOW_LIFE_S,
  RINGS_HELD_MS,
  STALE_UPCALL_MS,
  TEMPORARY_DROP_LIFE_S,
  UPCALL_BATCH,
} from "./limits.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import type { ParkedPacket } from "./parking.ts";
import { NO_TAGS, Resimulation } from "./resimulation.ts";
import { Translator } from "./translate.ts";
import { Waiting } from "./waiting.ts";
import { answerFlows, answerTrace } from "./worker-answers.ts";
import { WorkerCounts } from "./worker-counts.ts";
import { WorkerState, type WorkerStateParts } from "./worker-state.ts";

/** What a worker core is made of. */
export interface WorkerParts extends WorkerStateParts {
  readonly worker: number;
  readonly workers: number;
  readonly datapath: DatapathWorker;
  readonly simulator: Simulator;
  /** An earlier process served this host's ports: what waits in the rings is looked at when the world is complete. */
  readonly isTakingOver?: boolean;
  /** Any number, from the seed: where the audit of flows begins. */
  readonly auditFrom?: number;
  /** Takes messages for the control thread, in order. */
  send(message: FromWorker): void;
}

/**
 * A simulation worker without its thread: upcalls in, flows and frames out, over the worker's face of a datapath. `turn` does
 * a bounded amount of everything; the shell (or weftsim) calls it whenever there may be work. `now` is monotonic.
 */
export class WorkerCore {
  readonly counts = new WorkerCounts();
  readonly #parts: WorkerParts;
  readonly #simulator: Simulator;
  readonly #datapath: DatapathWorker;
  readonly #translator: Translator;
  readonly #groups: Groups;
  readonly #book: FlowBook;
  readonly #state: WorkerState;
  readonly #resimulation: Resimulation;
  readonly #audit: FlowAudit;
  readonly #waiting: Waiting;
  readonly #icmp = new IcmpBudget();
  readonly #input: { -readonly [K in keyof SimInput]: SimInput[K] };
  readonly #frame: { -readonly [K in keyof FrameBytes]: FrameBytes[K] };
  readonly #outbox: Outbox;
  readonly #flow: NewFlow;
  readonly #upcallsAt: number;
  readonly #handle = (record: UpcallRecord): void => this.#upcall(record);
  #now: Instant = 0;
  #waited: Duration = 0;
  #heldUntil: Instant;
  #version = 0;
  #reached = 0;

  constructor(parts: WorkerParts, now: Instant) {
    this.#parts = parts;
    this.#simulator = parts.simulator;
    this.#datapath = parts.datapath;
    this.#now = now;
    const groups = new Groups(parts.datapath.memory.groups, parts);
    this.#groups = groups;
    this.#translator = new Translator(parts.simulator.world, groups, (metric) => this.counts.metrics.add(metric));
    this.#book = new FlowBook(parts.datapath.memory, {
      groups,
      counts: this.counts,
      references: parts.fdb,
      shards: parts.datapath.shards,
      now,
    });
    this.#state = new WorkerState(parts, this.#book, {
      emit: (frame) => this.#emit(frame, 0),
      release: (on, unresolved) => this.#release(on, unresolved),
    });
    this.#resimulation = new Resimulation({
      simulator: parts.simulator,
      translator: this.#translator,
      book: this.#book,
      counts: this.counts,
      taught: (facts, now) => this.#state.taught(facts, now),
    });
    this.#audit = new FlowAudit({
      ...{ book: this.#book, resimulation: this.#resimulation, translator: this.#translator, counts: this.counts },
      ...{ shards: parts.datapath.shards, from: parts.auditFrom ?? 0, send: parts.send },
    });
    this.#heldUntil = parts.isTakingOver === true ? now + RINGS_HELD_MS : now;
    this.#frame = { bytes: new Uint8Array(0), offset: 0, length: 0, gsoSize: 0 };
    this.#input = {
      mode: "live",
      key: new Uint32Array(KEY_WORDS),
      keyOffset: 0,
      ingress: 0,
      frame: this.#frame,
      unresolved: undefined,
    };
    this.#outbox = new Outbox(parts.datapath, this.#translator, this.counts);
    this.#waiting = new Waiting(this.counts, (id) => parts.send({ kind: "want", id }));
    this.#flow = {
      key: this.#input.key,
      keyOffset: 0,
      flowClass: 0,
      shard: 0,
      action: this.#translator.action,
      group: 0,
      tags: NO_TAGS,
      lifeS: 0,
    };
    this.#upcallsAt = this.counts.metrics.index("weft_worker_upcalls");
  }

  /** Takes a message of the control thread. Its consequences for flows begin at once, and end in later turns. */
  receive(message: ToWorker, now: Instant): void {
    this.#now = now;
    this.#groups.setNow(now);
    switch (message.kind) {
      case "world":
        this.#state.applyChange(message.change);
        if (message.change.kind === "object") this.#release(message.change.object.id, undefined);
        if (message.change.kind === "absent") {
          this.#translator.forgetFloodKeys(message.change.id);
          this.#release(message.change.id, undefined);
        }
        return;
      case "peer":
        return this.#translator.setPeer(
          message.hostId,
          message.mtu === 0 ? undefined : { peer: message.peer, mtu: message.mtu },
        );
      case "flood-key":
        this.#translator.setFloodKey(message);
        return this.#book.invalidate(tagFlood(this.#simulator.world.handleOf(message.bridgeId)), false);
      case "complete":
        this.#heldUntil = now;
        this.#audit.begin(now);
        return this.#book.adopt(now);
      case "version":
        this.#version = message.version;
        return this.#report();
      case "ask-flows":
        return this.#parts.send(answerFlows(this.#book, message, this.#now));
      case "ask-trace":
        return this.#parts.send(
          answerTrace({ simulator: this.#simulator, translator: this.#translator }, message, this.#now),
        );
      default:
        return unreachable(message);
    }
  }

  /** One bounded turn. True when there is more to do at once. */
  turn(now: Instant): boolean {
    this.#now = now;
    this.#groups.setNow(now);
    const upcalls = this.isHeld ? 0 : this.#datapath.poll(UPCALL_BATCH, this.#handle);
    this.#datapath.flush();
    this.#book.file();
    const resimulated = this.#resimulation.turn(now);
    if (resimulated) this.#report();
    this.#state.process(now);
    this.#waiting.expire(now);
    this.#datapath.flush();
    const isMore = upcalls === UPCALL_BATCH || this.#book.backlog > 0;
    if (!isMore && upcalls === 0) this.#audit.turn(now);
    return isMore;
  }

  /** True while upcalls wait in their rings for the world to be complete: nothing that arrives there is work yet. */
  get isHeld(): boolean {
    return this.#now < this.#heldUntil;
  }

  /** When `turn` is due again at the latest, even if nothing arrives. */
  nextAt(): Instant {
    const soon = Math.min(this.#now + 1000, this.#state.nextAt());
    return this.isHeld ? Math.min(soon, this.#heldUntil) : soon;
  }

  /** Upcalls taken so far. */
  get upcalls(): number {
    return this.counts.metrics.values[this.#upcallsAt] as number;
  }

  /** How long the upcall that waited longest had waited when its turn began, of those taken since this was last asked; 0: there were none. */
  takeWaited(): Duration {
    const waited = this.#waited;
    this.#waited = 0;
    return waited;
  }

  /** Counters so far, as a message for the control thread. */
  countsMessage(): FromWorker {
    const { metrics } = this.counts;
    metrics.set("weft_worker_parked_now", this.#waiting.parked);
    metrics.set("weft_worker_backlog", this.#book.backlog);
    metrics.set("weft_worker_wanted_now", this.#waiting.wanted);
    return this.counts.message();
  }

  #report(): void {
    if (this.#book.outdated > 0 || this.#reached === this.#version) return;
    this.#reached = this.#version;
    this.#parts.send({ kind: "reached", version: this.#reached });
  }

  #upcall(record: UpcallRecord): void {
    const { values } = this.counts.metrics;
    values[this.#upcallsAt] = (values[this.#upcallsAt] as number) + 1;
    const { words, offset } = record;
    const frame = this.#frame;
    frame.bytes = record.bytes;
    frame.offset = record.frameOffset;
    frame.length = record.frameLength;
    frame.gsoSize = words[offset + 5] as number;
    const sentAt = ((words[offset + 9] as number) * 0x1_0000_0000 + (words[offset + 8] as number)) / 1e6;
    const waited = this.#now - sentAt;
    if (waited > this.#waited) this.#waited = waited;
    if (waited > STALE_UPCALL_MS) {
      this.counts.metrics.add("weft_worker_stale_upcalls");
      return this.counts.drop(words[offset + 3] as number, "stale-upcall");
    }
    this.#run(words, offset, undefined);
  }

  /** Simulates what `#frame` and the record at `offset` say, and acts on the result. */
  #run(words: Uint32Array, offset: number, unresolved: NeighborKey | undefined): void {
    // Before the simulator's facts, which the last flow's tags are, say something else.
    this.#book.file();
    const input = this.#input;
    input.mode = "live";
    input.key = words;
    input.keyOffset = offset + UPCALL_KEY;
    input.ingress = 0;
    input.unresolved = unresolved;
    const kind = words[offset] as number;
    if (kind === UPCALL_MISS) return this.#act(this.#simulator.simulate(input, this.#now), words, offset);
    if (kind === UPCALL_TTL_EXPIRED)
      return this.#act(this.#simulator.ttlExpired(input, frameTtl(this.#frame), this.#now), words, offset);
    if (kind === UPCALL_TOO_BIG)
      this.#act(this.#simulator.tooBig(input, words[offset + 11] as number, this.#now), words, offset);
  }

  #act(result: SimResult, words: Uint32Array, offset: number): void {
    this.#state.taught(result.facts, this.#now);
    if (result.kind !== "forward" && isTtlUsedUp(result, frameTtl(this.#frame)))
      return this.#expired(result, words, offset);
    switch (result.kind) {
      case "forward":
        return this.#forward(result, words, offset);
      case "drop":
        return this.#drop(result, words, offset);
      case "wait":
        return this.#waiting.park(result.on, { words, offset, frame: this.#frame }, this.#now);
      case "consume":
        return this.#emitAll(keep(result.facts.frames));
      case "needs-frame":
        return;
      default:
        return unreachable(result);
    }
  }

  #forward(result: ForwardResult, words: Uint32Array, offset: number): void {
    const vport = words[offset + 3] as number;
    const nowhere = this.#translator.forward(result);
    const { fragments } = result;
    const { fit } = this.#translator;
    const frames = keep(result.facts.frames);
    const isInstalled = !result.isTransient && !this.#translator.isUngrouped;
    if (isInstalled)
      this.#install(result.facts, words, {
        offset,
        lifeS: nowhere === undefined ? FLOW_LIFE_S : TEMPORARY_DROP_LIFE_S,
      });
    if (nowhere !== undefined && fit !== "ttl-expired") this.counts.drop(vport, nowhere);
    else if (fragments.length > 0) for (const bytes of fragments) this.#outbox.sendBytes(bytes, vport);
    else if (fit === "fits") this.#outbox.send(this.#frame, vport, words[offset + 10] as number);
    else this.#unfit(fit, words, offset);
    this.#emitAll(frames);
  }

  /** The first packet of a flow that is itself too long or at the end of its life. */
  #unfit(fit: "ttl-expired" | "too-big", words: Uint32Array, offset: number): void {
    const { limit } = this.#translator;
    this.#book.file();
    const result =
      fit === "too-big"
        ? this.#simulator.tooBig(this.#input, limit, this.#now)
        : this.#simulator.ttlExpired(this.#input, frameTtl(this.#frame), this.#now);
    this.#act(result, words, offset);
  }

  /** The walk's end is behind the router at which the packet ends, which shares the flow: no short one, of which nobody has been told. */
  #expired(result: SimResult, words: Uint32Array, offset: number): void {
    if (result.kind === "drop" && !result.isTemporary) this.#installDrop(result, words, offset);
    this.#unfit("ttl-expired", words, offset);
  }

  #installDrop(result: DropResult, words: Uint32Array, offset: number): void {
    if ((words[offset] as number) !== UPCALL_MISS || result.isTransient) return;
    this.#translator.drop(result.reason, result.facts.routers);
    this.#install(result.facts, words, { offset, lifeS: result.isTemporary ? TEMPORARY_DROP_LIFE_S : FLOW_LIFE_S });
  }

  #drop(result: DropResult, words: Uint32Array, offset: number): void {
    const vport = words[offset + 3] as number;
    this.counts.drop(vport, result.reason);
    const frames = keep(result.facts.frames);
    this.#installDrop(result, words, offset);
    if (frames.length > 0 && !this.#icmp.take(vport, this.#now)) this.counts.metrics.add("weft_worker_icmp_limited");
    else this.#emitAll(frames);
  }

  #install(facts: WalkFacts, words: Uint32Array, at: { readonly offset: number; readonly lifeS: number }): void {
    const flow = this.#flow;
    flow.key = words;
    flow.keyOffset = at.offset + UPCALL_KEY;
    flow.flowClass = facts.level;
    flow.shard = words[at.offset + 7] as number;
    flow.group = this.#translator.group;
    flow.tags = facts.tags;
    flow.lifeS = at.lifeS;
    this.#book.install(flow, this.#now);
  }

  #emitAll(frames: readonly EmittedFrame[]): void {
    for (const frame of frames) this.#emit(frame, 0);
  }

  /** A frame of the network itself: it walks from its port, and may be answered by the next device on the way. */
  #emit(frame: EmittedFrame, depth: number): void {
    this.counts.metrics.add("weft_worker_emitted");
    // A parked packet before this one may have left a flow whose tags are the simulator's facts.
    this.#book.file();
    const result = this.#simulator.emit(frame.port, frame.bytes, this.#now);
    this.#state.taught(result.facts, this.#now);
    const answers = keep(result.facts.frames);
    if (result.kind === "drop") this.counts.drop(0, result.reason);
    if (result.kind === "wait") this.#waiting.parkEmitted(result.on, frame, this.#now);
    if (result.kind === "forward") {
      const nowhere = this.#translator.forward(result);
      if (nowhere !== undefined) this.counts.drop(0, nowhere);
      else this.#outbox.sendOwn(frame.bytes);
    }
    if (depth < EMIT_DEPTH_MAX) for (const answer of answers) this.#emit(answer, depth + 1);
  }

  #release(on: string, unresolved: NeighborKey | undefined): void {
    for (const packet of this.#waiting.release(on)) this.#again(packet, unresolved);
    this.#datapath.flush();
    this.#book.file();
  }

  #again({ origin, frame: bytes }: ParkedPacket, unresolved: NeighborKey | undefined): void {
    if (origin.kind === "emitted") {
      // The network does not tell itself that its own answer could not be delivered (RFC 1122, 3.2.2).
      if (unresolved !== undefined) this.counts.drop(0, "neighbor-failed");
      else this.#emit({ port: origin.port, bytes }, 0);
      return;
    }
    const frame = this.#frame;
    frame.bytes = bytes;
    frame.offset = 0;
    frame.length = bytes.length;
    frame.gsoSize = origin.words[5] as number;
    this.#run(origin.words, 0, unresolved);
  }
}

/** The simulator reuses its list; frames must be walked after the flow is written, which simulates again. */
function keep(frames: readonly EmittedFrame[]): readonly EmittedFrame[] {
  return frames.length === 0 ? none : frames.slice();
}

const none: readonly EmittedFrame[] = [];
