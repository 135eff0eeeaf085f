import type { Duration } from "../../base/clock.ts";
import type { Result } from "../../base/result.ts";
import type { Scheduler } from "../../base/scheduler.ts";
import type { DataTree } from "../data-tree.ts";
import type { TreeSession } from "../data-tree-sessions.ts";
import type { MultiError, OperationResult, TreeEvent, TreeOperation } from "../tree.ts";
import type { Channel } from "./channel.ts";

/** Settings of one session. */
export interface MemoryConnectOptions {
  /** Asked for, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** Takes up a session that another client held: a restart, a hand-over. */
  readonly resume?: { readonly id: bigint; readonly password: Uint8Array };
  /** The process that the client lives in; default: one that never stands still, with the server's scheduler. */
  readonly process?: ClientProcess;
  /** Where the client is, for faults of the network and for counts: the name of a host. */
  readonly place?: string;
}

/** A process that can stand still or die: its waits, and all that reaches it from outside. */
export interface ClientProcess {
  readonly scheduler: Scheduler;
  /** Runs what came from outside: now, when it stands still later and in order, never when it is dead. */
  run(callback: () => void): void;
}

/**
 * What becomes of the next request of a session before its connection is cut.
 * `applied`: it takes effect and its reply is lost. `lost`: it never arrives. Both look alike to the client.
 */
export type NextRequestFate = "applied" | "lost";

/** A message to a client. */
export type ClientMessage = () => void;

/** A request: the server does what it says and sends the message that `answer` or `read` makes of the outcome. */
export type ClientRequest =
  | {
      readonly kind: "login";
      readonly options: MemoryConnectOptions;
      /** Without a session: the one to resume has gone. */
      answer(session: TreeSession | undefined): ClientMessage;
    }
  | { readonly kind: "read"; read(tree: DataTree, session: bigint): ClientMessage }
  | {
      readonly kind: "write";
      readonly operations: readonly TreeOperation[];
      answer(reply: Result<readonly OperationResult[], MultiError>): ClientMessage;
    }
  | { readonly kind: "sync" | "close"; answer(): ClientMessage };

/** A connection between a memory tree and its server. Both ends hold it. */
export interface MemoryLink {
  readonly requests: Channel<ClientRequest>;
  readonly messages: Channel<ClientMessage>;
  session: TreeSession | undefined;
  fate: NextRequestFate | undefined;
  isCut: boolean;
}

/** The client's end of a link: what the server calls when the connection breaks or brings something. */
export interface LinkEnd {
  /** See MemoryConnectOptions. */
  readonly place: string;
  onCut(): void;
  onMessage(message: ClientMessage): void;
  /** `zxid`: the transaction that it tells of, where the server says so. */
  onEvent(event: TreeEvent, zxid?: number): void;
}

/** What memory trees dial: one server, or an ensemble of them. */
export interface TreeServer {
  readonly scheduler: Scheduler;
  /** Pause of a client before it dials again, in milliseconds. */
  readonly redialMs: Duration;
  /** Nobody needs to dial any more. */
  readonly isStopped: boolean;
  /** Undefined when nobody answers. */
  dial(end: LinkEnd): MemoryLink | undefined;
  /** Breaks a link; its session has its time-out from now on to come back. */
  cut(link: MemoryLink): void;
}

/** What a server did for the clients of one place. */
export interface ServedCounts {
  /** Requests, logins included. */
  requests: number;
  /** Watch events sent. */
  events: number;
}
