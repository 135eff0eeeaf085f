import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** What a server that is none does with a connection. */
export type Hostility = (socket: Socket) => void;

const frame = (...bytes: readonly number[]): Uint8Array => Uint8Array.of(0, 0, 0, bytes.length, ...bytes);

/** An answer to the connect request that grants session 1 for ten seconds: what comes after it is the mischief. */
const welcome = frame(
  ...[0, 0, 0, 0, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16],
  ...new Array<number>(16).fill(7),
  0,
);

const after =
  (...chunks: readonly Uint8Array[]): Hostility =>
  (socket) => {
    socket.once("data", () => {
      for (const chunk of chunks) socket.write(chunk);
    });
  };

/** Whatever a server can do wrong on the wire, by its name. */
export const hostilities: Readonly<Record<string, Hostility>> = {
  "hangs up at once": (socket) => socket.destroy(),
  "accepts and never answers": () => undefined,
  "speaks another protocol": (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "announces a frame of negative length": after(Uint8Array.of(0xff, 0xff, 0xff, 0xff)),
  "announces a frame of two gigabytes": after(Uint8Array.of(0x7f, 0xff, 0xff, 0xff)),
  "answers with an empty frame": after(frame()),
  "answers with half a frame and hangs up": (socket) => {
    socket.once("data", () => socket.end(welcome.subarray(0, 12)));
  },
  "answers with half a frame and falls silent": after(welcome.subarray(0, 12)),
  "answers with a frame that is too short for its fields": after(frame(0, 0, 0, 0, 0, 0)),
  "answers with bytes behind the last field": after(frame(...welcome.subarray(4), 1, 2, 3)),
  "welcomes, then sends a reply to nothing": after(welcome, frame(...[0, 0, 0, 99], ...new Array<number>(12).fill(0))),
  "welcomes, then sends a notification that is cut": after(welcome, frame(0xff, 0xff, 0xff, 0xff, 0, 0)),
  "welcomes, then hangs up in the middle of a length": (socket) => {
    socket.once("data", () => {
      socket.write(welcome);
      socket.end(Uint8Array.of(0, 0));
    });
  },
};

/** Something that listens where a server should and is none. */
export class HostileServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that were made to it. */
  connections = 0;

  private constructor(hostility: Hostility) {
    this.#server = createServer((socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      hostility(socket);
    });
  }

  static listen(hostility: Hostility): Promise<HostileServer> {
    const hostile = new HostileServer(hostility);
    return new Promise((resolve) => hostile.#server.listen(0, "127.0.0.1", () => resolve(hostile)));
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
