import { Connection, type Link } from "./connection.ts";

/** The connections of a server, and which of them serves which session. */
export class Clients {
  readonly #connections = new Set<Connection>();
  readonly #bySession = new Map<bigint, Connection>();
  readonly #onLeft: (session: bigint) => void;

  /** `onLeft` is told when the connection that served a session has gone. */
  constructor(onLeft: (session: bigint) => void) {
    this.#onLeft = onLeft;
  }

  /** Connections open now. */
  get size(): number {
    return this.#connections.size;
  }

  /** All connections, as of now: the list does not change while it is gone through. */
  all(): readonly Connection[] {
    return [...this.#connections];
  }

  /** The connection that serves a session. */
  of(session: bigint): Connection | undefined {
    return this.#bySession.get(session);
  }

  /** Takes a connection in. */
  add(link: Link, now: number, mustAuthenticate: boolean): Connection {
    const connection = new Connection(link, now, mustAuthenticate);
    this.#connections.add(connection);
    return connection;
  }

  /** From now on this connection serves the session; one that did so before is cut. */
  bind(connection: Connection, session: bigint): void {
    const before = this.#bySession.get(session);
    if (before !== undefined) this.cut(before);
    connection.stage = "up";
    connection.session = session;
    this.#bySession.set(session, connection);
  }

  /** Ends a connection after what was written. */
  end(connection: Connection): void {
    if (connection.stage === "over") return;
    connection.link.end();
    this.forget(connection);
  }

  /** Ends a connection now. */
  cut(connection: Connection): undefined {
    if (connection.stage === "over") return;
    connection.link.cut();
    this.forget(connection);
  }

  /** The connection is over, whoever ended it. */
  forget(connection: Connection): void {
    if (connection.stage === "over") return;
    connection.stage = "over";
    this.#connections.delete(connection);
    if (this.#bySession.get(connection.session) !== connection) return;
    this.#bySession.delete(connection.session);
    this.#onLeft(connection.session);
  }
}
