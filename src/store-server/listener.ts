import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { freeSocket } from "../base/free-socket.ts";
import { formatTcpAddress, type ListenAddress } from "../base/listen-address.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Link } from "./connection.ts";
import { storeServerLimits } from "./limits.ts";
import type { LinkEvents, StoreServer } from "./server.ts";

/** An open listener. `address` is as a client writes it; a TCP port of 0 has become a real one. */
export interface Listener {
  readonly address: string;
  /** Listens no more; connections stay. */
  close(): Promise<void>;
}

/** Listens (a Unix socket gets mode 0600 and is trusted) and hands every connection to the server. The error is one sentence. */
export async function listen(server: StoreServer, at: ListenAddress): Promise<Result<Listener, string>> {
  if (at.kind === "unix") {
    const free = await freeSocket(at.path);
    if (!free.ok) return free;
  }
  const sockets = createServer({ noDelay: true }, (socket) => attach(server, socket, at.kind === "unix"));
  const bound = await bind(sockets, at);
  if (!bound.ok) return bound;
  return ok({ address: addressOf(sockets, at), close: () => new Promise((resolve) => sockets.close(() => resolve())) });
}

function bind(sockets: Server, at: ListenAddress): Promise<Result<void, string>> {
  const where: ListenOptions = at.kind === "unix" ? { path: at.path } : { host: at.host, port: at.port };
  return new Promise((resolve) => {
    sockets.once("error", (error) => resolve(err(`cannot listen on ${textOf(at)}: ${error.message}`)));
    sockets.once("listening", () => resolve(ok(undefined)));
    if (at.kind === "tcp") return void sockets.listen(where);
    // The socket file is made inside listen(); at no moment may it be open to others.
    const umask = process.umask(0o177);
    sockets.listen(where);
    process.umask(umask);
  });
}

function addressOf(sockets: Server, at: ListenAddress): string {
  const bound = sockets.address();
  if (at.kind === "unix" || bound === null || typeof bound === "string") return textOf(at);
  return textOf({ ...at, port: bound.port });
}

function textOf(at: ListenAddress): string {
  return at.kind === "unix" ? `unix:${at.path}` : formatTcpAddress(at);
}

function attach(server: StoreServer, socket: Socket, isTrusted: boolean): void {
  const events = server.accept(new SocketLink(socket), isTrusted);
  // A broken socket also closes; nothing is to be done twice.
  socket.on("error", () => undefined);
  if (events === undefined) socket.destroy();
  else wire(socket, events);
}

function wire(socket: Socket, events: LinkEvents): void {
  socket.on("data", (bytes: Buffer) => {
    events.received(bytes);
    if (socket.writableLength > storeServerLimits.pauseBytes) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("close", () => events.gone());
}

class SocketLink implements Link {
  readonly peer: string;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.peer = socket.remoteAddress ?? "local";
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }
}
