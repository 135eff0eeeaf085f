import { connect, createServer, type Server, type Socket } from "node:net";

/** A way to a store's socket that can be cut for those who take it, while the store serves all others. */
export class StoreDoor {
  readonly #path: string;
  readonly #store: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** `path`: where clients connect; `store`: the socket of the store. */
  constructor(path: string, store: string) {
    this.#path = path;
    this.#store = store;
  }

  /** Lets clients through. */
  open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#store);
      this.#join(near, far);
      this.#join(far, near);
    });
    this.#server = server;
    return new Promise((resolve) => server.listen(this.#path, resolve));
  }

  /** Breaks what goes through, and lets nobody through any more. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
