import type { Tree, TreeEvent, WatchOptions } from "../tree.ts";
import { Waiting } from "./expecting.ts";

/**
 * A server under test. Every connection is a session of its own, against the same content.
 * A fault that a driver cannot make is left out, and the tests that need it are skipped with that reason.
 */
export interface TreeServer {
  connect(options?: { readonly timeoutMs?: number }): Promise<Tree>;
  /** Breaks the connection of a session; the client comes back by itself. */
  disconnect?(tree: Tree): Promise<void>;
  /** Breaks the connection so that what the session writes next is `applied` or `lost` without a reply. */
  loseNext?(tree: Tree, fate: "applied" | "lost"): Promise<void>;
  /** Ends the session behind the client's back, as if its time had run out. */
  expire?(tree: Tree): Promise<void>;
  /** Makes the server look for empty containers and for ttl nodes that are over, now. */
  sweep?(): Promise<void>;
  stop(): Promise<void>;
}

/** Of a node that only is there. */
export const noData = new Uint8Array(0);

/** Collects events. */
export class EventLog extends Waiting {
  readonly events: TreeEvent[] = [];
  resyncs = 0;

  options(recursive: boolean): WatchOptions {
    return {
      recursive,
      onEvent: (event) => {
        this.events.push(event);
        this.wake();
      },
      onResync: () => {
        this.resyncs += 1;
        this.wake();
      },
    };
  }

  lines(): string[] {
    return this.events.map(({ kind, path }) => `${kind} ${path}`);
  }
}

/** What the tests of one server share. */
export interface Suite {
  server(): TreeServer;
  tree(): Tree;
  folder(): Promise<string>;
}
