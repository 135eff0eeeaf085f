import type { Duration } from "../base/clock.ts";
import { formatTcpAddress, type ListenAddress } from "../base/listen-address.ts";
import type { Prng } from "../base/prng.ts";
import { err, ok, type Result } from "../base/result.ts";
import { zookeeperLimits } from "./limits.ts";

/** Where a server listens. */
export type ServerAddress = ListenAddress;

/** The port that `host` alone means. */
const defaultPort = 2181;

/** Reads `unix:/path`, `host:port`, `[v6]:port` or `host` (port 2181). The error says what was expected. */
export function parseServer(text: string): Result<ServerAddress, string> {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return path.startsWith("/") ? ok({ kind: "unix", path }) : err(`${text}: unix: needs an absolute path`);
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 0xffff) {
    return err(`${text}: expected unix:/path, host:port or [address]:port`);
  }
  return ok({ kind: "tcp", host, port });
}

/** The text that `parseServer` reads. */
export function formatServer(server: ServerAddress): string {
  if (server.kind === "unix") return `unix:${server.path}`;
  return formatTcpAddress(server);
}

/**
 * Which server to try next, and after which pause: a shuffled round over all of them, at once; after a whole round without
 * success a pause that doubles up to a second, with jitter, so that a thousand clients do not come back together.
 */
export class ServerRotation {
  readonly #servers: readonly ServerAddress[];
  readonly #prng: Prng;
  #next = 0;
  #failures = 0;

  constructor(servers: readonly ServerAddress[], prng: Prng) {
    if (servers.length === 0) throw new Error("a session needs at least one server");
    this.#servers = shuffled(servers, prng);
    this.#prng = prng;
  }

  /** Number of servers. */
  get size(): number {
    return this.#servers.length;
  }

  /** The server to try now. */
  next(): ServerAddress {
    const server = this.#servers[this.#next % this.#servers.length] as ServerAddress;
    this.#next += 1;
    return server;
  }

  /** A session is up: the next failure starts a new round. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** An attempt or a connection failed: milliseconds to wait before the next server. */
  failed(): Duration {
    this.#failures += 1;
    const { backoffMinMs, backoffMaxMs } = zookeeperLimits;
    if (this.#failures % this.#servers.length !== 0) return 0;
    const rounds = this.#failures / this.#servers.length;
    const pause = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(rounds - 1, 10));
    return pause * (0.5 + this.#prng.float() / 2);
  }
}

function shuffled<T>(list: readonly T[], prng: Prng): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}
