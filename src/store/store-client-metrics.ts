import type { Clock, Instant } from "../base/clock.ts";
import { Histogram, type MetricSamples, type MetricSpecs } from "../base/metric-family.ts";
import type { Result } from "../base/result.ts";
import type { ResumableTree, SessionState, Tree } from "./tree.ts";

/** What every client of the store tells: of its session, and of its requests. */
export const STORE_CLIENT_METRICS = {
  weft_store_client_session_state: { type: "gauge", help: "1 for the state that the session is in", labels: ["state"] },
  weft_store_client_session_age_seconds: { type: "gauge", help: "time since the session was first connected" },
  weft_store_client_session_timeout_seconds: { type: "gauge", help: "time-out that the server granted the session" },
  weft_store_client_sessions_total: { type: "counter", help: "sessions that were connected" },
  weft_store_client_disconnects_total: { type: "counter", help: "connections of a session that were lost" },
  weft_store_client_disconnected_seconds: { type: "gauge", help: "time without a connection to the store; 0 with one" },
  weft_store_client_requests_total: {
    type: "counter",
    help: "requests that ended, by operation and outcome (ok, or the kind of the error)",
    labels: ["operation", "outcome"],
  },
  weft_store_client_request_seconds: {
    type: "histogram",
    help: "time from request to outcome, waiting for a connection included",
    labels: ["kind"],
  },
} as const satisfies MetricSpecs;

/** Upper bounds in seconds: a store on the same machine answers in 0.3 ms, a commit on a slow disk takes 50 ms. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10];
const STATES: readonly SessionState[] = ["connecting", "connected", "suspended", "expired", "closed"];

type Operation = "create" | "get" | "set" | "remove" | "exists" | "children" | "multi" | "watch" | "sync";
const WRITES: ReadonlySet<Operation> = new Set(["create", "set", "remove", "multi"]);

/** Measures the sessions of one process with the store, one after another. */
export class StoreClientMetrics {
  readonly #clock: Clock;
  readonly #requests = new Map<string, number>();
  readonly #latency = { read: new Histogram(BOUNDS), write: new Histogram(BOUNDS) };
  #tree: Tree | undefined;
  #sessions = 0;
  #disconnects = 0;
  #connectedAt: Instant | undefined;
  #lostAt: Instant;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lostAt = clock.now();
  }

  /** The same tree, measured. Outcomes settle exactly when those of the tree itself do. */
  measure(tree: Tree): Tree {
    this.#tree = tree;
    this.#connectedAt = undefined;
    tree.session.onState((state) => this.#changed(tree, state));
    const timed = <T, E>(operation: Operation, outcome: Promise<Result<T, E>>): Promise<Result<T, E>> =>
      this.#timed(operation, outcome);
    return {
      create: (path, data, options) => timed("create", tree.create(path, data, options)),
      get: (path) => timed("get", tree.get(path)),
      set: (path, data, version) => timed("set", tree.set(path, data, version)),
      remove: (path, version) => timed("remove", tree.remove(path, version)),
      exists: (path) => timed("exists", tree.exists(path)),
      children: (path) => timed("children", tree.children(path)),
      multi: (operations) => timed("multi", tree.multi(operations)),
      watch: (path, options) => timed("watch", tree.watch(path, options)),
      sync: (path) => timed("sync", tree.sync(path)),
      session: tree.session,
      close: () => tree.close(),
    };
  }

  /** The same for a tree whose session outlives the process. */
  measureResumable(tree: ResumableTree): ResumableTree {
    return {
      ...this.measure(tree),
      ephemerals: (path) => this.#timed("children", tree.ephemerals(path)),
      exportSession: () => tree.exportSession(),
      detach: () => tree.detach(),
    };
  }

  /** State of the present session. */
  get state(): SessionState {
    return this.#tree?.session.state ?? "connecting";
  }

  /** Time since the connection was lost; 0 while there is one. */
  get disconnectedMs(): number {
    return this.#tree?.session.state === "connected" ? 0 : this.#clock.now() - this.#lostAt;
  }

  /** Time since the present session was first connected; undefined before that. */
  get sessionAgeMs(): number | undefined {
    return this.#connectedAt === undefined ? undefined : this.#clock.now() - this.#connectedAt;
  }

  /** Adds the present values. */
  collect(samples: MetricSamples): void {
    const session = this.#tree?.session;
    for (const state of STATES)
      samples.add("weft_store_client_session_state", session?.state === state ? 1 : 0, { state });
    samples.add("weft_store_client_session_age_seconds", (this.sessionAgeMs ?? 0) / 1_000);
    samples.add("weft_store_client_session_timeout_seconds", (session?.timeoutMs ?? 0) / 1_000);
    samples.add("weft_store_client_sessions_total", this.#sessions);
    samples.add("weft_store_client_disconnects_total", this.#disconnects);
    samples.add("weft_store_client_disconnected_seconds", this.disconnectedMs / 1_000);
    for (const [key, count] of this.#requests) {
      const [operation = "", outcome = ""] = key.split(" ");
      samples.add("weft_store_client_requests_total", count, { operation, outcome });
    }
    for (const kind of ["read", "write"] as const)
      samples.addHistogram("weft_store_client_request_seconds", this.#latency[kind], { kind });
  }

  #timed<T, E>(operation: Operation, outcome: Promise<Result<T, E>>): Promise<Result<T, E>> {
    const from = this.#clock.now();
    void outcome.then((result) => {
      const key = `${operation} ${result.ok ? "ok" : errorKind(result.error)}`;
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
      const kind = WRITES.has(operation) ? "write" : "read";
      this.#latency[kind].observe((this.#clock.now() - from) / 1_000);
    });
    return outcome;
  }

  #changed(tree: Tree, state: SessionState): void {
    if (tree !== this.#tree) return;
    if (state === "connected") {
      if (this.#connectedAt === undefined) this.#sessions++;
      this.#connectedAt ??= this.#clock.now();
      return;
    }
    if (state === "suspended") this.#disconnects++;
    if (state === "suspended" || state === "expired") this.#lostAt = this.#clock.now();
  }
}

/** The kind of a TreeError, also of the one inside a MultiError. */
function errorKind(error: unknown): string {
  if (typeof error !== "object" || error === null) return "error";
  if ("kind" in error) return String(error.kind);
  return "error" in error ? errorKind(error.error) : "error";
}
