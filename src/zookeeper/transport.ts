import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ServerAddress } from "./servers.ts";

/** One connection to a server, as the client uses it. Nothing is delivered after `close`. */
export interface Transport {
  /** Sends bytes, which belong to the transport from now on. */
  write(bytes: Uint8Array): void;
  /** Ends the connection, after what was written. */
  close(): void;
}

/** What a transport tells. After `onClosed` it tells nothing more. */
export interface TransportEvents {
  onOpen(): void;
  onBytes(bytes: Uint8Array): void;
  /** The connection failed, was refused or ended; `why` is for the log. */
  onClosed(why: string): void;
}

/** Opens a connection: sockets in production, the simulated network in weftsim. */
export type Dial = (server: ServerAddress, events: TransportEvents) => Transport;

/** TLS of a client, all PEM. Without `ca` the system's roots count. */
export interface TlsOptions {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Name that the server's certificate must carry; default the host dialled. */
  readonly serverName?: string;
}

/** Dials TCP and Unix sockets; TCP with TLS when `tls` is given. */
export function socketDial(tls?: TlsOptions): Dial {
  return (server, events) => new SocketTransport(open(server, tls), tls !== undefined && server.kind === "tcp", events);
}

function open(server: ServerAddress, tls: TlsOptions | undefined): Socket {
  if (server.kind === "unix") return connectTcp({ path: server.path });
  const { host, port } = server;
  if (tls === undefined) return connectTcp({ host, port, noDelay: true });
  const { ca, certificate: cert, key, serverName } = tls;
  // A server name on the wire is a name, never an address (RFC 6066 section 3); the certificate is held against the host.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({
    ...{ host, port },
    ...(servername === undefined ? {} : { servername }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}

class SocketTransport implements Transport {
  readonly #socket: Socket;
  #isOver = false;

  constructor(socket: Socket, isTls: boolean, events: TransportEvents) {
    this.#socket = socket;
    const over = (why: string): void => {
      if (this.#isOver) return;
      this.#isOver = true;
      socket.destroy();
      events.onClosed(why);
    };
    socket.setNoDelay(true);
    socket.on(isTls ? "secureConnect" : "connect", () => {
      if (!this.#isOver) events.onOpen();
    });
    socket.on("data", (bytes: Buffer) => {
      if (!this.#isOver) events.onBytes(bytes);
    });
    socket.on("error", (error: Error) => over(error.message));
    socket.on("end", () => over("the server closed the connection"));
    socket.on("close", () => over("the connection was closed"));
  }

  write(bytes: Uint8Array): void {
    if (!this.#isOver) this.#socket.write(bytes);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.end();
    this.#socket.destroySoon();
  }
}
