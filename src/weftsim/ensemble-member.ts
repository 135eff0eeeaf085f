import type { Duration } from "../base/clock.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { DataTree } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import { Channel } from "../store/memory/channel.ts";
import type { ClientMessage, ClientRequest, LinkEnd, MemoryLink } from "../store/memory/memory-link.ts";

/** What a member asks of its ensemble. */
export interface MemberParts {
  readonly number: number;
  readonly scheduler: Scheduler;
  /** Travel time between the member and a client. */
  clientDelay(): Duration;
  /** Time until a committed transaction is applied here. */
  lag(): Duration;
  /** Takes a request that only the leader can answer; `done` is called with the answer and the transaction that it must follow. */
  toLeader(member: EnsembleMember, call: LeaderCall): void;
  onRequest(place: string): void;
  onEvent(place: string): void;
  /** A link broke, or was closed by its client. */
  onCut(link: MemoryLink): void;
}

/** A request on its way to the leader. */
export interface LeaderCall {
  readonly link: MemoryLink;
  readonly request: Exclude<ClientRequest, { readonly kind: "read" }>;
  done(answer: ClientMessage, zxid: number): void;
}

interface LinkState {
  readonly end: LinkEnd;
  readonly queue: ClientRequest[];
  /** A request is on its way to the leader: those behind it wait, as in ZooKeeper. */
  isBusy: boolean;
  /** Its client ends its session. */
  isClosing: boolean;
}

/** How far each client has seen, across its connections: a member that is behind refuses it. */
const seen = new WeakMap<LinkEnd, number>();

/** A client says how far it has seen, before it logs in. */
export function noteSeen(end: LinkEnd, zxid: number): void {
  seen.set(end, zxid);
}

/**
 * One server of a simulated ensemble: a replica of the data tree that is a little behind, the connections of some clients, and
 * their watches. It answers reads from its replica, in the order of each client's requests, and passes the rest to the leader.
 */
export class EnsembleMember {
  readonly number: number;
  /** Its replica. It outlives a crash, as a disk does. */
  readonly tree = new DataTree();
  isUp = true;
  /** It hears nothing of the other members. */
  isCutOff = false;
  /** It accepts and never answers. */
  isHung = false;
  /** It has a leader, or had one until a moment ago. */
  isServing = true;
  /** By how much it is slower than usual. */
  slowness = 1;
  readonly #parts: MemberParts;
  readonly #links = new Map<MemoryLink, LinkState>();
  readonly #bySession = new Map<bigint, MemoryLink>();
  #waiting: { readonly zxid: number; run(): void }[] = [];
  #replication: Channel<TransactionRecord>;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.number = parts.number;
    this.#replication = this.#follow();
  }

  /** In touch with the majority, if there is one. */
  get isInTouch(): boolean {
    return this.isUp && !this.isCutOff;
  }

  /** Takes a client's connection. */
  accept(end: LinkEnd): MemoryLink {
    const { scheduler } = this.#parts;
    const delay = (): Duration => this.#parts.clientDelay() * this.slowness;
    const link: MemoryLink = {
      requests: new Channel({ scheduler, delay, deliver: (request) => this.#receive(link, request) }),
      messages: new Channel({ scheduler, delay, deliver: (message) => end.onMessage(message) }),
      ...{ session: undefined, fate: undefined, isCut: false },
    };
    this.#links.set(link, { end, queue: [], isBusy: false, isClosing: false });
    return link;
  }

  /** The client's end of a link. */
  endOf(link: MemoryLink): LinkEnd | undefined {
    return this.#links.get(link)?.end;
  }

  /** Every link. */
  links(): readonly MemoryLink[] {
    return [...this.#links.keys()];
  }

  /** A session is served by a link of this member from now on. */
  seat(link: MemoryLink, session: bigint): void {
    this.#bySession.set(session, link);
  }

  /** Breaks a link. */
  cut(link: MemoryLink): void {
    const state = this.#links.get(link);
    if (link.isCut || state === undefined) return;
    link.isCut = true;
    link.requests.cut();
    link.messages.cut();
    this.#links.delete(link);
    const id = link.session?.id;
    if (id !== undefined && this.#bySession.get(id) === link) {
      this.#bySession.delete(id);
      this.tree.disconnected(id);
    }
    this.#parts.onCut(link);
    state.end.onCut();
  }

  /** Breaks every link. */
  cutAll(): void {
    for (const link of this.links()) this.cut(link);
  }

  /** Breaks the links of a place or of a client. */
  cutFrom(what: LinkEnd | string): void {
    for (const [link, { end }] of [...this.#links]) if (end === what || end.place === what) this.cut(link);
  }

  /** A transaction was committed: it is applied here a little later, or now. */
  replicate(record: TransactionRecord, isAtOnce: boolean): void {
    if (isAtOnce) this.#apply(record);
    else this.#replication.push(record);
  }

  /** Forgets what is on its way here, and applies what it lacks at once. */
  catchUp(history: readonly TransactionRecord[]): void {
    this.lose();
    for (const record of history.slice(this.tree.zxid)) this.#apply(record);
  }

  /** Loses what is on its way here. */
  lose(): void {
    this.#replication.cut();
    this.#replication = this.#follow();
    this.#waiting = [];
  }

  #follow(): Channel<TransactionRecord> {
    const { scheduler } = this.#parts;
    const delay = (): Duration => this.#parts.lag() * this.slowness;
    return new Channel({ scheduler, delay, deliver: (record) => this.#apply(record) });
  }

  #receive(link: MemoryLink, request: ClientRequest): void {
    const state = this.#links.get(link);
    if (state === undefined || this.isHung) return;
    this.#parts.onRequest(state.end.place);
    const { fate } = link;
    if (fate === "lost") return this.cut(link);
    state.queue.push(request);
    this.#pump(link, state);
    if (fate === "applied") this.cut(link);
  }

  #pump(link: MemoryLink, state: LinkState): void {
    while (!state.isBusy && !link.isCut) {
      const request = state.queue.shift();
      if (request === undefined) return;
      if (request.kind === "login" && this.tree.zxid < (seen.get(state.end) ?? 0)) return this.cut(link);
      if (request.kind === "read") this.#answer(link, request.read(this.tree, link.session?.id ?? 0n));
      else this.#ask(link, state, request);
    }
  }

  #ask(link: MemoryLink, state: LinkState, request: LeaderCall["request"]): void {
    state.isBusy = true;
    state.isClosing = request.kind === "close";
    // Whoever comes back is served by a replica that may be old: not older than it has seen, which was looked at.
    const isBack = request.kind === "login" && request.options.resume !== undefined && seen.has(state.end);
    const done = (answer: ClientMessage, zxid: number): void => {
      this.#after(isBack ? 0 : zxid, () => {
        state.isBusy = false;
        this.#answer(link, answer);
        this.#pump(link, state);
      });
    };
    this.#parts.toLeader(this, { link, request, done });
  }

  #answer(link: MemoryLink, message: ClientMessage): void {
    const end = this.endOf(link);
    if (end === undefined) return;
    const { zxid } = this.tree;
    link.messages.push(() => {
      seen.set(end, Math.max(zxid, seen.get(end) ?? 0));
      message();
    });
  }

  #after(zxid: number, run: () => void): void {
    if (this.tree.zxid >= zxid) run();
    else this.#waiting.push({ zxid, run });
  }

  #apply(record: TransactionRecord): void {
    if (record.zxid !== this.tree.zxid + 1) return;
    for (const { session, event } of this.tree.apply(record)) {
      const link = this.#bySession.get(session);
      const end = link === undefined ? undefined : this.endOf(link);
      if (link === undefined || end === undefined) continue;
      this.#parts.onEvent(end.place);
      this.#answer(link, () => end.onEvent(event, record.zxid));
    }
    const ready = this.#waiting.filter(({ zxid }) => zxid <= this.tree.zxid);
    this.#waiting = this.#waiting.filter(({ zxid }) => zxid > this.tree.zxid);
    for (const { run } of ready) run();
    for (const change of record.changes) if (change.op === "close-session") this.#end(change.session);
  }

  /** A session has ended: its client, if it is here and has not asked for it, is sent away. */
  #end(session: bigint): void {
    const link = this.#bySession.get(session);
    if (link !== undefined && this.#links.get(link)?.isClosing !== true) this.cut(link);
  }
}
