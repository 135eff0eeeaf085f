import { err, ok, type Result } from "../base/result.ts";
import type { DataTree, Moment, Outcome, SessionRefusal } from "../store/data-tree.ts";
import type { TreeSession } from "../store/data-tree-sessions.ts";
import { readConnectRequest, writeConnectResponse } from "../zookeeper/handshake.ts";
import { type ConnectRequest, errorCode, type Request } from "../zookeeper/protocol.ts";
import { writeReply } from "../zookeeper/reply.ts";
import type { Clients } from "./clients.ts";
import type { Connection } from "./connection.ts";
import type { StoreServerCounters } from "./counters.ts";

/** Most identities of one connection: what a client shows beyond it is accepted and forgotten. */
const identitiesMax = 8;

/** Who may come in. */
export interface Doorkeeper {
  /** Sixteen secret bytes for a new session. */
  newPassword(): Uint8Array;
  /** Whether these credentials open the store. */
  isAuthentic(scheme: string, auth: Uint8Array): boolean;
}

/** The tree at the moment of a greeting. */
export interface GreetingContext {
  readonly tree: DataTree;
  readonly at: Moment;
  readonly isFull: boolean;
}

/** The beginning of a connection: its session, new or resumed, and who the client is. */
export class Greeter {
  readonly #clients: Clients;
  readonly #doorkeeper: Doorkeeper;
  readonly #counters: StoreServerCounters;

  constructor(clients: Clients, doorkeeper: Doorkeeper, counters: StoreServerCounters) {
    this.#clients = clients;
    this.#doorkeeper = doorkeeper;
    this.#counters = counters;
  }

  /** Serves the connect request. The value is what has to be settled; the error says what was malformed. */
  greet(
    connection: Connection,
    frame: Uint8Array,
    context: GreetingContext,
  ): Result<Outcome<TreeSession, SessionRefusal> | undefined, string> {
    const read = readConnectRequest(frame);
    if (!read.ok) return err(`connect request: ${read.error.field}: ${read.error.why}`);
    const { tree, at } = context;
    // A client that saw what we have not must look for another server: ours has been restored from a backup.
    if (read.value.lastZxid > BigInt(tree.zxid)) return ok(this.#clients.cut(connection));
    if (read.value.sessionId !== 0n) return ok(this.#resume(connection, read.value, context));
    if (context.isFull) return ok(this.#clients.cut(connection));
    const opened = tree.openSession(read.value.timeoutMs, this.#doorkeeper.newPassword(), at);
    if (!opened.reply.ok) return ok(this.#clients.cut(connection));
    this.#welcome(connection, read.value, opened.reply.value);
    return ok(opened);
  }

  /** Serves an auth request. Whoever must show the secret and does not is shown the door. */
  authenticate(connection: Connection, xid: number, request: Request & { readonly op: "auth" }): void {
    const isRight = this.#doorkeeper.isAuthentic(request.scheme, request.auth);
    if (!isRight && connection.mustAuthenticate) return this.refuse(connection, xid, errorCode.authFailed);
    const user = new TextDecoder().decode(request.auth).split(":")[0] ?? "";
    connection.mustAuthenticate = false;
    if (connection.identities.length < identitiesMax) {
      connection.identities = [...connection.identities, { scheme: request.scheme, user }];
    }
    writeReply(connection.writer, { xid, zxid: 0n, error: errorCode.ok });
  }

  /** Answers with an error and ends the connection. */
  refuse(connection: Connection, xid: number, error: number): void {
    this.#counters.add("store_auth_refused");
    writeReply(connection.writer, { xid, zxid: 0n, error });
    connection.isEnding = true;
  }

  #resume(connection: Connection, request: ConnectRequest, { tree, at }: GreetingContext): undefined {
    const resumed = tree.resumeSession(request.sessionId, request.password, at);
    if (resumed.ok) return this.#welcome(connection, request, resumed.value);
    const nobody = { timeoutMs: 0, sessionId: 0n, password: new Uint8Array(16) };
    writeConnectResponse(connection.writer, { ...nobody, readOnly: readOnly(request) });
    connection.isEnding = true;
  }

  #welcome(connection: Connection, request: ConnectRequest, { id, timeoutMs, password }: TreeSession): undefined {
    this.#clients.bind(connection, id);
    const response = { timeoutMs, sessionId: id, password, readOnly: readOnly(request) };
    writeConnectResponse(connection.writer, response);
  }
}

/** A client that does not send the byte does not expect it. */
function readOnly(request: ConnectRequest): boolean | undefined {
  return request.readOnly === undefined ? undefined : false;
}
