import type { Duration, Instant } from "../base/clock.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { Dial, Transport, TransportEvents } from "../zookeeper/transport.ts";
import type { Link } from "./connection.ts";
import type { LinkEvents, StoreServer } from "./server.ts";

/** A network between clients and store servers in one process. */
export interface SimulatedNetwork {
  readonly scheduler: Scheduler;
  /** The server that listens at a port now, if any. */
  serverAt(port: number): StoreServer | undefined;
  /** Travel time of one message in milliseconds, asked for each; order in one direction is kept. */
  delay(): Duration;
  /** Whether messages get through; while they do not, they are lost and nobody is told. */
  isUp(): boolean;
}

/** A dial over a simulated network, so that the real client and the real server run in virtual time. */
export function simulatedDial(network: SimulatedNetwork): Dial {
  return ({ kind, ...server }, events) => {
    const port = kind === "tcp" && "port" in server ? server.port : 0;
    return new SimulatedConnection(network, port, events);
  };
}

class SimulatedConnection implements Transport {
  readonly #network: SimulatedNetwork;
  readonly #client: TransportEvents;
  #server: LinkEvents | undefined;
  #isOver = false;
  #toServerAt: Instant = 0;
  #toClientAt: Instant = 0;

  constructor(network: SimulatedNetwork, port: number, client: TransportEvents) {
    this.#network = network;
    this.#client = client;
    this.#toServer(() => this.#arrive(port));
  }

  write(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#toServer(() => this.#server?.received(copy));
  }

  close(): void {
    this.#toServer(() => this.#server?.gone());
    this.#isOver = true;
  }

  #arrive(port: number): void {
    const link: Link = {
      write: (bytes) => {
        const copy = bytes.slice();
        this.#toClient(() => this.#client.onBytes(copy));
      },
      end: () => this.#toClient(() => this.#lost("the server closed the connection")),
      cut: () => this.#toClient(() => this.#lost("the server cut the connection")),
      backlog: 0,
      peer: "simulated",
    };
    this.#server = this.#network.serverAt(port)?.accept(link, true);
    if (this.#server === undefined) this.#toClient(() => this.#lost("connection refused"));
    else this.#toClient(() => this.#client.onOpen());
  }

  #lost(why: string): void {
    this.#isOver = true;
    this.#client.onClosed(why);
  }

  #toServer(message: () => void): void {
    this.#toServerAt = this.#send(this.#toServerAt, message);
  }

  #toClient(message: () => void): void {
    this.#toClientAt = this.#send(this.#toClientAt, () => {
      if (!this.#isOver) message();
    });
  }

  #send(notBefore: Instant, message: () => void): Instant {
    const { scheduler } = this.#network;
    const now = scheduler.clock.now();
    const at = Math.max(notBefore, now + this.#network.delay());
    scheduler.after(at - now, () => {
      if (this.#network.isUp()) message();
    });
    return at;
  }
}
