import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ListenAddress } from "../base/listen-address.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, systemScheduler } from "../base/scheduler.ts";
import { type Listener, listen } from "./listener.ts";
import { isSecret, readSecret } from "./secret.ts";
import { StoreServer } from "./server.ts";
import { SqliteJournal } from "./sqlite-journal.ts";

/** How an embedded store runs. */
export interface StoreServerConfig {
  /** Folder of store.sqlite, lock.sqlite and secret; made with mode 0700. */
  readonly folder: string;
  /** Where to listen; at least one. */
  readonly listen: readonly ListenAddress[];
  readonly scheduler?: Scheduler;
  readonly log?: Log;
  /** The disk cannot be trusted any more; default: nothing. The process has to end. */
  onBroken?(why: string): void;
}

/** An embedded store that runs. */
export interface RunningStoreServer {
  readonly server: StoreServer;
  readonly journal: SqliteJournal;
  /** As clients write them: `unix:/path`, `127.0.0.1:2181`. */
  readonly addresses: readonly string[];
  /** What TCP clients show, as `digest("weft:" + secret)`. */
  readonly secret: string;
  stop(): Promise<void>;
}

/** Opens the journal, reads it, listens. The error is one sentence; nothing is left open then. */
export async function startStoreServer(config: StoreServerConfig): Promise<Result<RunningStoreServer, string>> {
  const journal = SqliteJournal.open(config.folder);
  if (!journal.ok) return err(`store ${config.folder}: ${journal.error.why}`);
  const secret = readSecret(join(config.folder, "secret"));
  if (!secret.ok) {
    journal.value.close();
    return secret;
  }
  const started = StoreServer.start({
    journal: journal.value,
    scheduler: config.scheduler ?? systemScheduler,
    newPassword: () => new Uint8Array(randomBytes(16)),
    isAuthentic: (scheme, auth) => isSecret(secret.value, scheme, auth),
    onBroken: (why) => config.onBroken?.(why),
    ...(config.log && { log: config.log }),
  });
  if (!started.ok) {
    journal.value.close();
    return err(`store ${config.folder}: ${started.error.why}`);
  }
  const server = started.value;
  const listeners = await listenAll(server, config.listen);
  if (!listeners.ok) {
    server.stop();
    return listeners;
  }
  const stop = async (): Promise<void> => {
    const closed = listeners.value.map((listener) => listener.close());
    server.stop();
    await Promise.all(closed);
  };
  const addresses = listeners.value.map(({ address }) => address);
  return ok({ server, journal: journal.value, addresses, secret: secret.value, stop });
}

async function listenAll(
  server: StoreServer,
  addresses: readonly ListenAddress[],
): Promise<Result<readonly Listener[], string>> {
  const listeners: Listener[] = [];
  for (const address of addresses) {
    const listener = await listen(server, address);
    if (!listener.ok) {
      for (const open of listeners) void open.close();
      return listener;
    }
    listeners.push(listener.value);
  }
  return ok(listeners);
}
