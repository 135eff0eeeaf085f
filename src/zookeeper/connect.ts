import { randomInt } from "node:crypto";
import type { Duration } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Prng } from "../base/prng.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, systemScheduler } from "../base/scheduler.ts";
import { pathFault } from "../store/data-tree-path.ts";
import type { TreeError } from "../store/tree.ts";
import { ZooKeeperClient } from "./client.ts";
import { parseServer, type ServerAddress } from "./servers.ts";
import type { Credential, SessionCredentials } from "./session-types.ts";
import { type Dial, socketDial, type TlsOptions } from "./transport.ts";

/** How to reach a ZooKeeper, ours or Apache's. Only `servers` has no default. */
export interface ConnectOptions {
  /** `unix:/path`, `host:port`, `[v6]:port` or `host`; tried in a shuffled order. */
  readonly servers: readonly string[];
  /** Session time-out to ask for, in milliseconds; default 10,000. A server grants what its limits allow. */
  readonly timeoutMs?: Duration;
  /** How long to try for the first connection, in milliseconds; default 30,000. Undefined outcomes do not exist here. */
  readonly connectWithinMs?: Duration;
  readonly scheduler?: Scheduler;
  readonly prng?: Prng;
  readonly dial?: Dial;
  /** Encrypts TCP connections. */
  readonly tls?: TlsOptions;
  /** Shown on every connection; see `digest`. */
  readonly auth?: readonly Credential[];
  /** Absolute path that is `/` for this client; it is created when it does not exist. */
  readonly chroot?: string;
  /** New nodes belong to our credentials alone; default: to everybody. */
  readonly isPrivate?: boolean;
  /** Goes on with the session that another process exported. */
  readonly resume?: SessionCredentials;
  readonly log?: Log;
}

/**
 * Why there is no tree. `session-expired`: no server knows the session that was to be resumed (or, without `resume`, one that a
 * server granted a moment ago): open a new session and register everything again.
 */
export type ConnectError =
  | { readonly kind: "bad-arguments"; readonly why: string }
  | {
      readonly kind: "unreachable";
      readonly servers: readonly string[];
      readonly waitedMs: Duration;
      /** What came of the last attempt, for people: refused, timed out, a certificate that has expired. */
      readonly why: string;
    }
  | { readonly kind: "session-expired" }
  | { readonly kind: "no-auth" };

const sessionTimeoutMs = 10_000;
const patienceMs = 30_000;

/** The credential of scheme `digest` for `user:password`. */
export function digest(userAndPassword: string): Credential {
  return { scheme: "digest", auth: new TextEncoder().encode(userAndPassword) };
}

/** Opens a session and resolves once it is connected. The tree that comes back reconnects by itself from then on. */
export async function connectZooKeeper(options: ConnectOptions): Promise<Result<ZooKeeperClient, ConnectError>> {
  const client = openZooKeeper(options);
  if (!client.ok) return client;
  const scheduler = options.scheduler ?? systemScheduler;
  const waitedMs = options.connectWithinMs ?? patienceMs;
  const isUp = await settled(client.value, scheduler, waitedMs);
  if (!isUp && client.value.end === undefined) {
    // Before detaching, which ends an attempt that is under way and would count as its failure.
    const why = client.value.lastFailure || "no answer";
    client.value.detach();
    return err({ kind: "unreachable", servers: options.servers, waitedMs, why });
  }
  // A server that wants credentials says so at the first request only.
  const probe = isUp ? await client.value.exists("/") : undefined;
  const failure = endError(client.value) ?? (await chrootError(client.value, probe));
  if (failure === undefined) return client;
  await client.value.close();
  return err(failure);
}

/** Opens a session without waiting: requests wait for the connection. For who must start while the store is away. */
export function openZooKeeper(options: ConnectOptions): Result<ZooKeeperClient, ConnectError> {
  const servers: ServerAddress[] = [];
  for (const text of options.servers) {
    const server = parseServer(text);
    if (!server.ok) return err({ kind: "bad-arguments", why: server.error });
    servers.push(server.value);
  }
  if (servers.length === 0) return err({ kind: "bad-arguments", why: "at least one server is needed" });
  const fault = pathFault(options.chroot ?? "/");
  if (fault !== undefined) return err({ kind: "bad-arguments", why: `chroot: ${fault}` });
  const { scheduler = systemScheduler, timeoutMs = sessionTimeoutMs, auth, chroot, isPrivate, resume, log } = options;
  const client = new ZooKeeperClient({
    ...{ servers, scheduler, timeoutMs },
    prng: options.prng ?? new Prng(randomInt(0x1_0000_0000)),
    dial: options.dial ?? socketDial(options.tls),
    ...(auth && { auth }),
    ...(chroot && { chroot }),
    ...(isPrivate && { isPrivate }),
    ...(resume && { resume }),
    ...(log && { log }),
  });
  return ok(client);
}

/** Resolves to true once connected, to false when the session ended or the time was up. */
function settled(client: ZooKeeperClient, scheduler: Scheduler, withinMs: Duration): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = scheduler.after(withinMs, () => resolve(false));
    const look = (): void => {
      const { state } = client.session;
      if (state === "connecting" || state === "suspended") return;
      timer.cancel();
      resolve(state === "connected");
    };
    client.session.onState(look);
    look();
  });
}

function endError(client: ZooKeeperClient): ConnectError | undefined {
  if (client.end === "expired") return { kind: "session-expired" };
  return client.end === undefined ? undefined : { kind: "no-auth" };
}

async function chrootError(
  client: ZooKeeperClient,
  probe: Result<unknown, TreeError> | undefined,
): Promise<ConnectError | undefined> {
  if (probe?.ok === true && client.end === undefined) {
    const { value } = probe;
    if (value !== undefined) return undefined;
  }
  const made = await client.createChroot();
  if (made.ok || made.error.kind === "connection-loss") return undefined;
  return made.error.kind === "no-auth"
    ? { kind: "no-auth" }
    : { kind: "bad-arguments", why: `chroot: ${made.error.kind}` };
}
