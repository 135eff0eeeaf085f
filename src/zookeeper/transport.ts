import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
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
  return (server, events) => {
    if (tls !== undefined && server.kind === "tcp") return SocketTransport.encrypted(openTls(server, tls), events);
    return SocketTransport.plain((onread) => openPlain(server, onread), events);
  };
}

function openPlain(server: ServerAddress, onread: OnReadOpts): Socket {
  if (server.kind === "unix") return connectTcp({ path: server.path, onread });
  return connectTcp({ host: server.host, port: server.port, noDelay: true, onread });
}

function openTls(server: Extract<ServerAddress, { readonly kind: "tcp" }>, tls: TlsOptions): Socket {
  const { host, port } = server;
  const { ca, certificate: cert, key, serverName } = tls;
  // A server name on the wire is a name, never an address (RFC 6066 section 3); the certificate is held against the host.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  // Loaded where it is used: 4 MB of each process whose store is not behind TLS.
  return process.getBuiltinModule("node:tls").connect({
    ...{ host, port },
    ...(servername === undefined ? {} : { servername }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}

/** Bytes that one read of a plain connection takes at most: what the kernel's stream layer of Node takes too. */
const readBytes = 65_536;

class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #events: TransportEvents;
  #isOver = false;

  private constructor(open: (transport: SocketTransport) => Socket, connected: string, events: TransportEvents) {
    this.#events = events;
    const socket = open(this);
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on(connected, () => {
      if (!this.#isOver) events.onOpen();
    });
    socket.on("error", (error: Error) => this.#over(error.message));
    socket.on("end", () => this.#over("the server closed the connection"));
    socket.on("close", () => this.#over("the connection was closed"));
  }

  /** Past the stream's buffers: an event is heard after half the work, which counts when many wake at once. */
  static plain(open: (onread: OnReadOpts) => Socket, events: TransportEvents): SocketTransport {
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    const openFor = (transport: SocketTransport): Socket =>
      open({
        buffer,
        callback: (count) => {
          // The buffer is filled again by the next read; a frame that is not whole yet is kept longer.
          transport.#received(Buffer.from(buffer.subarray(0, count)));
          return true;
        },
      });
    return new SocketTransport(openFor, "connect", events);
  }

  static encrypted(socket: Socket, events: TransportEvents): SocketTransport {
    const transport = new SocketTransport(() => socket, "secureConnect", events);
    socket.on("data", (bytes: Buffer) => transport.#received(bytes));
    return transport;
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
  #received(bytes: Buffer): void {
    if (!this.#isOver) this.#events.onBytes(bytes);
  }

  #over(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#events.onClosed(why);
  }
}
