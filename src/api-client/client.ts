import type { IncomingMessage } from "node:http";
import type { AgentStatus } from "../api-schema/agent-api.ts";
import type { DoctorAnswer, SupportAnswer } from "../api-schema/doctor-resource.ts";
import { type ApiError, isErrorCode } from "../api-schema/errors.ts";
import type { MetricsAnswer } from "../api-schema/metrics-resource.ts";
import { type CreateOf, type PatchOf, RESOURCES, type ResourceOf } from "../api-schema/resources.ts";
import type {
  FdbEntry,
  FdbEntryCreate,
  ListOf,
  NeighborEntry,
  NeighborEntryCreate,
} from "../api-schema/state-resource.ts";
import type { DropsAnswer, FlowsAnswer, TraceAnswer, TraceRequest } from "../api-schema/trace-resource.ts";
import type { WatchEvent } from "../api-schema/watch-event.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id, Kind } from "../model/objects.ts";
import { EventStream } from "./event-stream.ts";
import { formatHttpTarget, type HttpTarget, type JsonAnswer, JsonHttp, type JsonRequest } from "./http-json.ts";

/**
 * Why a call has no value. `refused`: the API answered with an error of its catalogue. The other two are about the way there.
 */
export type ClientError =
  | { readonly kind: "refused"; readonly status: number; readonly error: ApiError }
  | { readonly kind: "unreachable"; readonly address: string; readonly why: string }
  | { readonly kind: "bad-answer"; readonly address: string; readonly why: string };

/** What a call of the client comes to. */
export type Outcome<T> = Promise<Result<T, ClientError>>;

/** Narrows a listing: fields that must be equal, and which part of it. */
export interface ListQuery {
  readonly limit?: number;
  readonly after?: string;
  readonly [field: string]: string | number | undefined;
}

/** The version that a change is meant for; without one it is made on whatever is there. */
export interface ChangeOptions {
  readonly version?: number;
}

/** Follows the topology. Callbacks are synchronous. */
export interface WatchListener {
  onEvent(event: WatchEvent): void;
  /** The stream ended, for this reason when it was not closed here. Open a new watch and compare. */
  onEnd(why: string | undefined): void;
}

/** How to reach the API. */
export interface ClientOptions {
  readonly target: HttpTarget;
  readonly token?: string;
}

/** A typed client of the API: one method an operation, every expected failure a value. Keep one and `close` it at the end. */
export class ApiClient {
  readonly #http: JsonHttp;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: ClientOptions) {
    this.#http = new JsonHttp(options.target);
    this.#headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  }

  /** Where the API is, for messages. */
  get address(): string {
    return formatHttpTarget(this.#http.target);
  }

  /** Creates an object. With an `id`, repeating it is harmless. */
  create<K extends Kind>(kind: K, body: CreateOf<K>): Outcome<ResourceOf<K>> {
    return this.#send({ method: "POST", path: pathOf(kind), body });
  }

  /** Reads one object. */
  get<K extends Kind>(kind: K, id: Id): Outcome<ResourceOf<K>> {
    return this.#send({ method: "GET", path: pathOf(kind, id) });
  }

  /** Lists a part of a kind. */
  list<K extends Kind>(kind: K, query: ListQuery = {}): Outcome<ListOf<ResourceOf<K>>> {
    return this.#send({ method: "GET", path: `${pathOf(kind)}${queryOf(query)}` });
  }

  /** Lists a whole kind, as many requests as it takes. */
  async listAll<K extends Kind>(kind: K, query: ListQuery = {}): Outcome<readonly ResourceOf<K>[]> {
    const all: ResourceOf<K>[] = [];
    let after: string | undefined;
    do {
      const part = await this.list(kind, after === undefined ? query : { ...query, after });
      if (!part.ok) return part;
      all.push(...part.value.items);
      after = part.value.next;
    } while (after !== undefined);
    return ok(all);
  }

  /** Changes the fields that are named; null takes an optional one away. */
  patch<K extends Kind>(kind: K, id: Id, change: Partial<PatchOf<K>> & ChangeOptions): Outcome<ResourceOf<K>> {
    return this.#send({ method: "PATCH", path: pathOf(kind, id), body: change });
  }

  /** Deletes an object and what cannot be without it. */
  delete(kind: Kind, id: Id, { version }: ChangeOptions = {}): Outcome<void> {
    const headers = version === undefined ? {} : { "if-match": `"${version}"` };
    return this.#send({ method: "DELETE", path: pathOf(kind, id), headers });
  }

  /** Binds a port to an interface of a host. */
  bind(portId: Id, binding: { readonly hostId: Id; readonly interfaceName: string }): Outcome<ResourceOf<"port">> {
    return this.#send({ method: "POST", path: `${pathOf("port", portId)}/bind`, body: binding });
  }

  /** Takes a port's binding away. */
  unbind(portId: Id): Outcome<ResourceOf<"port">> {
    return this.#send({ method: "POST", path: `${pathOf("port", portId)}/unbind` });
  }

  /** Links two ports. */
  link(portId: Id, peerId: Id): Outcome<ResourceOf<"port">> {
    return this.#send({ method: "POST", path: `${pathOf("port", portId)}/link`, body: { peerId } });
  }

  /** Takes a link away, at both ends. */
  unlink(portId: Id): Outcome<ResourceOf<"port">> {
    return this.#send({ method: "POST", path: `${pathOf("port", portId)}/unlink` });
  }

  /** Puts a host into a tunnel zone, or changes its address there. */
  addMember(zoneId: Id, member: { readonly hostId: Id; readonly address: string }): Outcome<ResourceOf<"tunnel-zone">> {
    return this.#send({ method: "POST", path: `${pathOf("tunnel-zone", zoneId)}/members`, body: member });
  }

  /** Takes a host out of a tunnel zone. */
  removeMember(zoneId: Id, hostId: Id): Outcome<ResourceOf<"tunnel-zone">> {
    return this.#send({ method: "DELETE", path: `${pathOf("tunnel-zone", zoneId)}/members/${hostId}` });
  }

  /** Where the MAC addresses of a bridge are. */
  fdb(bridgeId: Id): Outcome<ListOf<FdbEntry>> {
    return this.#send({ method: "GET", path: `${pathOf("bridge", bridgeId)}/fdb` });
  }

  /** Says where a MAC address is. */
  addFdbEntry(bridgeId: Id, body: FdbEntryCreate): Outcome<FdbEntry> {
    return this.#send({ method: "POST", path: `${pathOf("bridge", bridgeId)}/fdb`, body });
  }

  /** Takes a configured entry back. */
  removeFdbEntry(bridgeId: Id, entry: { readonly mac: string; readonly vlan: number }): Outcome<void> {
    const path = `${pathOf("bridge", bridgeId)}/fdb/${entry.mac}${queryOf({ vlan: entry.vlan })}`;
    return this.#send({ method: "DELETE", path });
  }

  /** The neighbor table of a router or of a bridge. */
  neighbors(kind: "bridge" | "router", id: Id): Outcome<ListOf<NeighborEntry>> {
    return this.#send({ method: "GET", path: `${pathOf(kind, id)}/neighbors` });
  }

  /** Says which MAC address an IP address has. */
  addNeighbor(kind: "bridge" | "router", id: Id, body: NeighborEntryCreate): Outcome<NeighborEntry> {
    return this.#send({ method: "POST", path: `${pathOf(kind, id)}/neighbors`, body });
  }

  /** Takes a configured entry back. */
  removeNeighbor(kind: "bridge" | "router", id: Id, ip: string): Outcome<void> {
    return this.#send({ method: "DELETE", path: `${pathOf(kind, id)}/neighbors/${encodeURIComponent(ip)}` });
  }

  /** Installed flows, of one host or of all. */
  flows(query: { readonly host?: Id; readonly limit?: number } = {}): Outcome<FlowsAnswer> {
    return this.#send({ method: "GET", path: `/v1/flows${queryOf(query)}` });
  }

  /** Dropped packets by reason, of one host or of all. */
  drops(query: { readonly host?: Id } = {}): Outcome<DropsAnswer> {
    return this.#send({ method: "GET", path: `/v1/drops${queryOf(query)}` });
  }

  /** Metrics of one host's agent, or of the API and of all agents. */
  metrics(query: { readonly host?: Id } = {}): Outcome<MetricsAnswer> {
    return this.#send({ method: "GET", path: `/v1/metrics${queryOf(query)}` });
  }

  /** What is wrong: with store, cloud and hosts, or with one host. */
  doctor(query: { readonly host?: Id } = {}): Outcome<DoctorAnswer> {
    return this.#send({ method: "GET", path: `/v1/doctor${queryOf(query)}` });
  }

  /** Releases, configuration and last log lines of the API and of all agents. */
  support(query: { readonly host?: Id } = {}): Outcome<SupportAnswer> {
    return this.#send({ method: "GET", path: `/v1/support${queryOf(query)}` });
  }

  /** State of a host's agent. */
  hostStatus(hostId: Id): Outcome<AgentStatus> {
    return this.#send({ method: "GET", path: `${pathOf("host", hostId)}/status` });
  }

  /** Walks a packet through the live topology. */
  trace(body: TraceRequest): Outcome<TraceAnswer> {
    return this.#send({ method: "POST", path: "/v1/trace", body });
  }

  /** Follows kinds of objects, all when none is named. The value ends it. */
  async watch(kinds: readonly Kind[], listener: WatchListener): Outcome<() => void> {
    const path = `/v1/watch${queryOf({ kind: kinds.length === 0 ? undefined : kinds.join(",") })}`;
    const answer = await this.#http.stream(path, { ...this.#headers, accept: "text/event-stream" });
    if (!answer.ok) return err(this.#failed(answer.error.kind === "bad-answer", answer.error.why));
    if (answer.value.statusCode !== 200) {
      answer.value.destroy();
      // The same request without a stream tells the reason in full.
      const why = await this.#send<never>({ method: "GET", path });
      return why.ok ? err(this.#failed(true, `status ${answer.value.statusCode}`)) : why;
    }
    return ok(follow(answer.value, listener));
  }

  /** Closes all connections, watches included. */
  close(): void {
    this.#http.close();
  }

  async #send<T>(call: JsonRequest): Outcome<T> {
    const answer = await this.#http.send({ ...call, headers: { ...this.#headers, ...call.headers } });
    if (!answer.ok) return err(this.#failed(answer.error.kind === "bad-answer", answer.error.why));
    if (answer.value.status < 300) return ok(answer.value.body as T);
    return err(this.#refused(answer.value));
  }

  #refused({ status, body }: JsonAnswer): ClientError {
    const error = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
    const isKnown = typeof error === "object" && error !== null && "code" in error && isErrorCode(error.code);
    return isKnown
      ? { kind: "refused", status, error: error as ApiError }
      : this.#failed(true, `status ${status} without an error of weft`);
  }

  #failed(isAnswered: boolean, why: string): ClientError {
    return { kind: isAnswered ? "bad-answer" : "unreachable", address: this.address, why };
  }
}

/** One sentence for people. */
export function formatClientError(error: ClientError): string {
  switch (error.kind) {
    case "refused":
      return `${error.error.message} (${error.error.code})`;
    case "unreachable":
      return `the API at ${error.address} cannot be reached: ${error.why}`;
    case "bad-answer":
      return `${error.address} is not the API of weft: ${error.why}`;
  }
}

function pathOf(kind: Kind, id?: Id): string {
  const base = `/v1/${RESOURCES[kind].plural}`;
  return id === undefined ? base : `${base}/${encodeURIComponent(id)}`;
}

function queryOf(query: ListQuery): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function follow(answer: IncomingMessage, { onEvent, onEnd }: WatchListener): () => void {
  const events = new EventStream();
  let isOver = false;
  const end = (why: string | undefined): void => {
    if (isOver) return;
    isOver = true;
    answer.destroy();
    onEnd(why);
  };
  answer.setEncoding("utf8");
  answer.on("data", (text: string) => {
    for (const data of isOver ? [] : events.push(text)) {
      const event = eventOf(data);
      if (event === undefined) return end("an event is not JSON");
      onEvent(event);
    }
    if (events.isBroken) end("an event was too large");
  });
  answer.on("error", (error) => end(error.message));
  answer.on("close", () => end("the server closed the stream"));
  return () => end(undefined);
}

function eventOf(data: string): WatchEvent | undefined {
  try {
    return JSON.parse(data) as WatchEvent;
  } catch {
    return undefined;
  }
}
