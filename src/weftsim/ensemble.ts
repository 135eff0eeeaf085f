import { unreachable } from "../base/assert.ts";
import type { Duration } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import { DataTree, type Moment } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import type { TreeSession } from "../store/data-tree-sessions.ts";
import type {
  LinkEnd,
  MemoryConnectOptions,
  MemoryLink,
  NextRequestFate,
  ServedCounts,
} from "../store/memory/memory-link.ts";
import type { MemoryTree } from "../store/memory/memory-tree.ts";
import { EnsembleMember, type LeaderCall } from "./ensemble-member.ts";
import type { EventLog } from "./event-log.ts";
import {
  ENSEMBLE_CLIENT_MS,
  ENSEMBLE_COMMIT_MS,
  ENSEMBLE_DROP_MS,
  ENSEMBLE_ELECTION_MS,
  ENSEMBLE_LAG_MS,
  ENSEMBLE_REDIAL_MS,
  ENSEMBLE_STALE_MS,
  ENSEMBLE_SWEEP_MS,
} from "./limits.ts";
import type { FaultyTreeServer } from "./store.ts";

/** What an ensemble is made of. */
export interface EnsembleParts {
  readonly members: number;
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly log: EventLog;
}

interface Proposal {
  readonly member: EnsembleMember;
  readonly call: LeaderCall;
}

interface Seat {
  readonly member: EnsembleMember;
  readonly link: MemoryLink;
}

/**
 * A ZooKeeper ensemble as its clients meet it: a leader that orders writes, followers that are behind and answer reads, sessions
 * that move from server to server, elections during which nobody is served, and writes of which nobody knows whether they
 * happened. What it does not simulate is the members' own protocol: an acknowledged write is never lost.
 */
export class SimEnsemble implements FaultyTreeServer {
  /** What is committed. */
  readonly tree = new DataTree();
  readonly scheduler: Scheduler;
  readonly redialMs = ENSEMBLE_REDIAL_MS;
  readonly members: readonly EnsembleMember[];
  isStopped = false;
  readonly #prng: Prng;
  readonly #log: EventLog;
  #leader: EnsembleMember | undefined;
  #election: Timer | undefined;
  #sweep: Timer | undefined;
  readonly #history: TransactionRecord[] = [];
  readonly #proposals = new Set<Proposal>();
  /** Writes that a lost leader left to its successor. */
  #survivors: Proposal[] = [];
  readonly #seats = new Map<bigint, Seat>();
  readonly #expiries = new Map<bigint, Timer>();
  readonly #isolated = new Set<LinkEnd | string>();
  readonly #served = new Map<string, ServedCounts>();

  constructor({ members, scheduler, prng, log }: EnsembleParts) {
    this.scheduler = scheduler;
    this.#prng = prng;
    this.#log = log;
    this.members = Array.from({ length: members }, (_, number) => this.#member(number));
    this.#leader = this.members[0];
  }

  /** The number of the leader, if there is one. */
  get leader(): number | undefined {
    return this.#leader?.number;
  }

  // What clients call.

  /** Without a number any member is dialled, as by a client that takes its servers in random order. */
  dial(end: LinkEnd, number?: number): MemoryLink | undefined {
    const member = (number === undefined ? undefined : this.members[number]) ?? this.#prng.pick(this.members);
    if (this.isStopped || this.#isolated.has(end) || this.#isolated.has(end.place)) return undefined;
    if (!member.isUp || !(member.isServing || member.isHung)) return undefined;
    const link = member.accept(end);
    if (member.isHung) this.#loseSilent(member, link);
    return link;
  }

  cut(link: MemoryLink): void {
    for (const member of this.members) member.cut(link);
  }

  // Faults of clients' networks and sessions.

  servedTo(place: string): ServedCounts {
    const known = this.#served.get(place);
    if (known !== undefined) return known;
    const counts: ServedCounts = { requests: 0, events: 0 };
    this.#served.set(place, counts);
    return counts;
  }

  disconnect(client: MemoryTree, fate?: NextRequestFate): void {
    const { link } = client;
    if (link === undefined) return;
    if (fate === undefined) this.cut(link);
    else link.fate = fate;
  }

  isolate(what: MemoryTree | string): void {
    this.#isolated.add(what);
    for (const member of this.members) member.cutFrom(what);
  }

  rejoin(what: MemoryTree | string): void {
    this.#isolated.delete(what);
  }

  expireSession(id: bigint): void {
    const seat = this.#seats.get(id);
    this.#expire(id);
    seat?.member.cut(seat.link);
  }

  stop(): void {
    this.isStopped = true;
    for (const member of this.members) member.cutAll();
    for (const timer of this.#expiries.values()) timer.cancel();
    this.#election?.cancel();
    this.#sweep?.cancel();
  }

  // Faults of members.

  /** A member's process dies; its disk stays. */
  crashMember(number: number): void {
    const member = this.#at(number, "crash");
    member.isUp = false;
    member.isServing = false;
    member.lose();
    member.cutAll();
    this.#look();
  }

  /** A member loses touch with the others, not with its clients: it answers reads from what it has, for a while. */
  cutOffMember(number: number): void {
    const member = this.#at(number, "cut-off");
    if (!member.isInTouch) return;
    member.isCutOff = true;
    member.lose();
    for (const [id, seat] of this.#seats) if (seat.member === member) this.#awaitReturn(id);
    this.scheduler.after(ENSEMBLE_STALE_MS, () => {
      if (!member.isCutOff) return;
      member.isServing = false;
      member.cutAll();
    });
    this.#look();
  }

  /** A member stands still: it accepts and never answers. Its clients give it up when they have heard nothing for too long. */
  hangMember(number: number): void {
    const member = this.#at(number, "hang");
    if (!member.isUp || member.isHung) return;
    member.isHung = true;
    for (const link of member.links()) this.#loseSilent(member, link);
    this.cutOffMember(number);
  }

  /** A member is by this factor slower than usual. */
  slowMember(number: number, factor: number): void {
    this.#at(number, `slow x${factor}`).slowness = factor;
  }

  /** Brings a member back from whatever befell it. */
  healMember(number: number): void {
    const member = this.#at(number, "heal");
    const wasAway = !member.isInTouch || member.isHung;
    // A server that follows again has ended its connections.
    if (wasAway) member.cutAll();
    Object.assign(member, { isUp: true, isCutOff: false, isHung: false, slowness: 1 });
    if (!wasAway) return;
    member.isServing = false;
    if (this.#leader !== undefined) this.#rejoinMember(member);
    this.#look();
  }

  #at(number: number, what: string): EnsembleMember {
    this.#log.add({ at: `zk${number}`, event: "member", detail: what });
    return this.members[number] as EnsembleMember;
  }

  // The leader.

  #member(number: number): EnsembleMember {
    const ms = (limit: Duration): Duration => limit * this.#prng.float();
    return new EnsembleMember({
      ...{ number, scheduler: this.scheduler },
      clientDelay: () => ms(ENSEMBLE_CLIENT_MS),
      lag: () => ms(ENSEMBLE_LAG_MS),
      toLeader: (member, call) => this.#propose({ member, call }),
      onRequest: (place) => {
        this.servedTo(place).requests += 1;
      },
      onEvent: (place) => {
        this.servedTo(place).events += 1;
      },
      onCut: (link) => this.#onCut(link),
    });
  }

  /** Without a leader in reach a request gets no answer: its client hears of it when the connection breaks. */
  #propose(proposal: Proposal): void {
    if (this.#leader === undefined || !proposal.member.isInTouch) return;
    this.#proposals.add(proposal);
    const slowness = Math.max(proposal.member.slowness, this.#leader.slowness);
    this.scheduler.after(ENSEMBLE_COMMIT_MS * this.#prng.float() * slowness, () => {
      if (this.#proposals.delete(proposal)) this.#commit(proposal);
    });
  }

  #commit({ member, call }: Proposal): void {
    const { request, link } = call;
    const session = link.session?.id ?? 0n;
    switch (request.kind) {
      case "login": {
        const granted = this.#login(request.options);
        if (granted !== undefined) this.#seat(granted.id, { member, link });
        return call.done(request.answer(granted), this.tree.zxid);
      }
      case "write": {
        const { reply, record } = this.tree.multi(request.operations, session, this.#moment());
        this.#replicate(record);
        this.#armSweep();
        return call.done(request.answer(reply), this.tree.zxid);
      }
      case "sync":
        return call.done(request.answer(), this.tree.zxid);
      case "close":
        this.#expire(session);
        return call.done(request.answer(), this.tree.zxid);
      default:
        return unreachable(request);
    }
  }

  #login(options: MemoryConnectOptions): TreeSession | undefined {
    if (options.resume !== undefined) {
      const resumed = this.tree.resumeSession(options.resume.id, options.resume.password, this.#moment());
      return resumed.ok ? resumed.value : undefined;
    }
    const password = Uint8Array.from({ length: 16 }, () => this.#prng.below(256));
    const { reply, record } = this.tree.openSession(options.timeoutMs ?? 10_000, password, this.#moment());
    this.#replicate(record);
    return reply.ok ? reply.value : undefined;
  }

  #seat(id: bigint, seat: Seat): void {
    const old = this.#seats.get(id);
    this.#expiries.get(id)?.cancel();
    this.#seats.set(id, seat);
    if (old !== undefined && old.link !== seat.link) old.member.cut(old.link);
    if (seat.link.isCut) return this.#onCut(seat.link);
    const session = this.tree.sessions.get(id);
    seat.link.session = session;
    seat.member.seat(seat.link, id);
  }

  #onCut(link: MemoryLink): void {
    for (const [id, seat] of this.#seats) {
      if (seat.link !== link) continue;
      this.#seats.delete(id);
      this.#awaitReturn(id);
    }
  }

  /** Nothing is heard of a session: it ends when that lasts. Nobody counts while there is no leader. */
  #awaitReturn(id: bigint): void {
    this.#expiries.get(id)?.cancel();
    const session = this.tree.sessions.get(id);
    if (this.#leader === undefined || session === undefined || this.isStopped) return;
    this.#expiries.set(
      id,
      this.scheduler.after(session.timeoutMs, () => {
        this.#log.add({ at: "zk", event: "expired", detail: `0x${id.toString(16)}` });
        this.#expire(id);
      }),
    );
  }

  #expire(id: bigint): void {
    this.#expiries.get(id)?.cancel();
    this.#expiries.delete(id);
    this.#seats.delete(id);
    this.#replicate(this.tree.closeSession(id, this.#moment()).record);
  }

  #replicate(record: TransactionRecord | undefined): void {
    if (record === undefined) return;
    this.#history.push(record);
    for (const member of this.members) if (member.isInTouch) member.replicate(record, member === this.#leader);
  }

  #armSweep(): void {
    if (this.#sweep !== undefined || !this.tree.needsSweep) return;
    this.#sweep = this.scheduler.after(ENSEMBLE_SWEEP_MS, () => {
      this.#sweep = undefined;
      if (this.#leader !== undefined) this.#replicate(this.tree.sweep(this.#moment()).record);
      this.#armSweep();
    });
  }

  // Elections.

  get #hasQuorum(): boolean {
    return this.members.filter(({ isInTouch }) => isInTouch).length * 2 > this.members.length;
  }

  /** Something has changed about the members. */
  #look(): void {
    if (this.#leader !== undefined && !(this.#hasQuorum && this.#leader.isInTouch)) this.#depose();
    if (this.#leader !== undefined || this.#election !== undefined || !this.#hasQuorum || this.isStopped) return;
    const span = ENSEMBLE_DROP_MS + ENSEMBLE_ELECTION_MS * this.#prng.float();
    this.#election = this.scheduler.after(span, () => {
      this.#election = undefined;
      if (this.#hasQuorum && !this.isStopped) this.#elect();
    });
  }

  /** Who follows a lost leader stops serving. Of the writes on their way some are known to enough members to survive. */
  #depose(): void {
    this.#log.add({ at: "zk", event: "leader", detail: "lost" });
    this.#leader = undefined;
    const proposals = [...this.#proposals].filter(({ call }) => call.request.kind === "write");
    this.#survivors.push(...proposals.slice(0, this.#prng.below(proposals.length + 1)));
    this.#proposals.clear();
    for (const timer of this.#expiries.values()) timer.cancel();
    this.#expiries.clear();
    for (const member of this.members) {
      if (!member.isInTouch) continue;
      member.lose();
      this.scheduler.after(ENSEMBLE_DROP_MS * this.#prng.float(), () => {
        if (this.#leader !== undefined || !member.isInTouch) return;
        member.isServing = false;
        member.cutAll();
      });
    }
  }

  #elect(): void {
    const leader = this.#prng.pick(this.members.filter(({ isInTouch }) => isInTouch));
    this.#leader = leader;
    this.#log.add({ at: "zk", event: "leader", detail: `zk${leader.number}` });
    for (const proposal of this.#survivors.splice(0)) this.#commit(proposal);
    for (const member of this.members) if (member.isInTouch) this.#rejoinMember(member);
    for (const { id } of [...this.tree.sessions.values()]) {
      if (this.#seats.get(id)?.member.isInTouch !== true) this.#awaitReturn(id);
    }
  }

  #rejoinMember(member: EnsembleMember): void {
    member.catchUp(this.#history);
    member.isServing = true;
    for (const [id, seat] of this.#seats) if (seat.member === member) this.#expiries.get(id)?.cancel();
  }

  /** A client that hears nothing takes its connection for dead after two thirds of its session's time-out. */
  #loseSilent(member: EnsembleMember, link: MemoryLink): void {
    const timeoutMs = link.session?.timeoutMs ?? 6_000;
    this.scheduler.after((timeoutMs * 2) / 3, () => member.cut(link));
  }

  #moment(): Moment {
    const { clock } = this.scheduler;
    return { now: clock.now(), wall: clock.wall() };
  }
}
