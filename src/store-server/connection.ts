import type { Instant } from "../base/clock.ts";
import { FrameSplitter } from "../zookeeper/frames.ts";
import { JuteWriter } from "../zookeeper/jute.ts";
import { zookeeperLimits } from "../zookeeper/limits.ts";
import type { Identity } from "../zookeeper/protocol.ts";

/** A client's connection as the server uses it: a socket, or a simulated one. */
export interface Link {
  /** Sends bytes, which belong to the link from now on. */
  write(bytes: Uint8Array): void;
  /** Ends the connection after what was written. */
  end(): void;
  /** Ends it now. */
  cut(): void;
  /** Bytes that were written and not sent yet. */
  readonly backlog: number;
  /** Who is at the other end, for whoAmI and the log. */
  readonly peer: string;
}

/** `new`: no session asked for yet. `up`: serves a session. `over`: nothing is read or written any more. */
export type ConnectionStage = "new" | "up" | "over";

/** What the server knows of one connection. */
export class Connection {
  readonly link: Link;
  readonly openedAt: Instant;
  readonly splitter = new FrameSplitter(zookeeperLimits.frameBytes);
  /** Frames of the present turn, to be sent once it is durable. */
  readonly writer = new JuteWriter();
  stage: ConnectionStage = "new";
  session = 0n;
  /** Whoever must show the secret has not done so yet. */
  mustAuthenticate: boolean;
  /** To be ended when this turn's frames are sent. */
  isEnding = false;
  /** The other end has gone; what it sent before is still served. */
  isGone = false;
  identities: readonly Identity[];

  constructor(link: Link, openedAt: Instant, mustAuthenticate: boolean) {
    this.link = link;
    this.openedAt = openedAt;
    this.mustAuthenticate = mustAuthenticate;
    this.identities = [{ scheme: "ip", user: link.peer }];
  }

  /** Whether the client has shown credentials of its own. */
  get isKnown(): boolean {
    return this.identities.length > 1;
  }
}
