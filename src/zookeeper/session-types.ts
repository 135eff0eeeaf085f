import type { Duration } from "../base/clock.ts";
import type { SessionState } from "../store/tree.ts";
import type { Notification, Reply } from "./protocol.ts";
import type { ServerAddress } from "./servers.ts";

/** How a session ended: by us, by a server, or because the server refused our credentials. */
export type SessionEnd = "closed" | "expired" | "no-auth";

/** Who we say we are: for scheme `digest` the bytes of `user:password`. */
export interface Credential {
  readonly scheme: string;
  readonly auth: Uint8Array;
}

/** What resumes a session from another process. As secret as a password. */
export interface SessionCredentials {
  readonly id: bigint;
  readonly password: Uint8Array;
  /** Last transaction seen: a server that is behind it is not spoken to. */
  readonly lastZxid: bigint;
}

/** What a session needs to know. */
export interface SessionConfig {
  readonly servers: readonly ServerAddress[];
  /** Session time-out to ask for, in milliseconds; the server may change it. */
  readonly timeoutMs: Duration;
  readonly resume?: SessionCredentials;
  readonly auth?: readonly Credential[];
}

/** How a request ended. `error` carries the server's code (`errorCode`). */
export type CallOutcome =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "error"; readonly code: number }
  | { readonly kind: "too-large"; readonly bytes: number }
  | { readonly kind: "connection-loss" | "session-expired" | "closed" | "no-auth" };

/** What the shell has to do. `reply` answers a submit, `event` and `resync` go to the watches. */
export type SessionEffect<Token> =
  | { readonly effect: "dial"; readonly server: ServerAddress }
  | { readonly effect: "hang-up"; readonly why: string }
  | { readonly effect: "send"; readonly bytes: Uint8Array }
  | { readonly effect: "reply"; readonly token: Token; readonly outcome: CallOutcome }
  | { readonly effect: "event"; readonly event: Notification }
  | { readonly effect: "resync" }
  | { readonly effect: "state"; readonly state: SessionState; readonly why: string };
