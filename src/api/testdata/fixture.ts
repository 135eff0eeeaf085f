import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatHostAlive, HOST_ALIVE_KEY, PORT_ACTIVE_KEY } from "../../api-schema/agent-api.ts";
import type { ErrorBody } from "../../api-schema/errors.ts";
import { systemClock } from "../../base/clock.ts";
import { MemoryLog } from "../../base/log.ts";
import { ProcessMetrics } from "../../base/process-metrics.ts";
import { systemScheduler } from "../../base/scheduler.ts";
import type { Id } from "../../model/objects.ts";
import { MemoryTreeServer } from "../../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../../store/recipes/connection.ts";
import { Layout } from "../../store/recipes/layout.ts";
import type { StateKey } from "../../store/recipes/state-keys.ts";
import { TreeStateKeys } from "../../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../../store/recipes/tree-topology-store.ts";
import { StoreClientMetrics } from "../../store/store-client-metrics.ts";
import { HttpAgents } from "../agents.ts";
import { ApiMetrics } from "../api-metrics.ts";
import { DeviceTables } from "../device-tables.ts";
import { Facts } from "../facts.ts";
import { type ApiParts, type ApiServer, createApiServer } from "../server.ts";

/** The token of every test server. */
export const TOKEN = "0123456789abcdef0123456789abcdef";

/** What came back: status, body, ETag. */
export interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came back
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
  /** `code field` of an error, or the status. */
  readonly outcome: string;
}

/** A request beyond method and path. */
export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | undefined;
  /** Sent as it is, in place of JSON. */
  readonly text?: string;
}

/** The whole API over a tree in memory, spoken to without a socket. */
export class ApiFixture {
  readonly log = new MemoryLog();
  readonly storeClient = new StoreClientMetrics(systemClock);
  readonly tree = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  readonly connection = new StoreConnection({
    scheduler: systemScheduler,
    connect: () => this.storeClient.measure(this.tree.connect()),
  });
  readonly topology = new TreeTopologyStore(this.connection);
  readonly facts = new Facts(new TreeStateKeys(this.connection));
  /** What hosts publish, under a session of their own. */
  readonly hosts = new StoreConnection({ scheduler: systemScheduler, connect: () => this.tree.connect() });
  readonly published = new TreeStateKeys(this.hosts);
  readonly agents = new HttpAgents({ facts: this.facts, token: TOKEN, deadlineMs: 200 });
  readonly folder = mkdtempSync(join(tmpdir(), "weft-api-"));
  readonly #closers: (() => Promise<void> | void)[] = [];
  readonly metrics = new ApiMetrics({
    ...{ clock: systemClock, storeClient: this.storeClient },
    process: new ProcessMetrics(systemScheduler, {
      process: "api",
      release: "0.0.0-test",
      logLines: () => ({ warn: 3 }),
    }),
    storeCounters: { catalogue: { zookeeper_requests: "requests" }, snapshot: () => ({ zookeeper_requests: 3 }) },
    aliveHosts: () => this.facts.aliveHosts().length,
    recycler: () => ({}),
  });
  server: ApiServer | undefined;

  /** Starts the server, with other parts where they are given. */
  async open(parts: Partial<ApiParts> = {}): Promise<this> {
    this.server = await createApiServer({
      topology: this.topology,
      facts: this.facts,
      tables: new DeviceTables(this.connection),
      agents: this.agents,
      scheduler: systemScheduler,
      clock: systemClock,
      log: this.log,
      metrics: this.metrics,
      store: {
        tree: () => this.connection.tree,
        layout: new Layout(),
        storeClient: this.storeClient,
        askServers: async () => [{ server: "unix:/store.sock", mode: "standalone", zxid: "0x5" }],
      },
      support: () => ({ process: "api", release: "0.0.0-test", node: "24", config: [], log: ["{}"] }),
      token: TOKEN,
      release: "0.0.0-test",
      newId: () => crypto.randomUUID(),
      ...parts,
    });
    await this.server.http.ready();
    return this;
  }

  /** Ends everything that the test started. */
  async close(): Promise<void> {
    this.metrics.close();
    await this.server?.close();
    this.agents.close();
    this.facts.close();
    for (const close of this.#closers) await close();
    await this.hosts.close();
    await this.connection.close();
    this.tree.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends a request, `METHOD /path`, with the right token unless another is given. */
  async send(line: string, body?: unknown, options?: SendOptions): Promise<Reply> {
    const [method = "", url = ""] = line.split(" ");
    const token = options !== undefined && "token" in options ? options.token : TOKEN;
    const text = options?.text ?? (body === undefined ? undefined : JSON.stringify(body));
    const reply = await (this.server as ApiServer).http.inject({
      method: method as "GET",
      url,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { "content-type": "application/json" }),
        ...options?.headers,
      },
      ...(text === undefined ? {} : { payload: text }),
    });
    const parsed = reply.body === "" ? undefined : JSON.parse(reply.body);
    const error = (parsed as Partial<ErrorBody> | undefined)?.error;
    const outcome =
      error === undefined ? String(reply.statusCode) : [error.code, error.field].filter(Boolean).join(" ");
    return { status: reply.statusCode, body: parsed, headers: reply.headers, outcome };
  }

  /** Creates an object, which must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came back
  async make(plural: string, body: unknown): Promise<any> {
    const made = await this.send(`POST /v1/${plural}`, body);
    if (made.status !== 201) throw new Error(`${plural}: ${JSON.stringify(made.body)}`);
    return made.body;
  }

  /** Makes a host alive, with an agent that answers by `answer`. */
  async live(
    hostId: Id,
    answer: (path: string, body: string) => { readonly status: number; readonly body: string } | undefined,
  ): Promise<void> {
    const path = join(this.folder, `${hostId.slice(-4)}.sock`);
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        const said = answer(`${request.method} ${request.url}`, body);
        if (said !== undefined) response.writeHead(said.status, { "content-type": "application/json" }).end(said.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    this.#closers.push(() => closed(server));
    await this.alive(hostId, `unix:${path}`);
  }

  /** Publishes that a host lives; done when the API knows. */
  async alive(hostId: Id, address: string): Promise<void> {
    const text = formatHostAlive({ address });
    await this.#publish({ kind: "host", id: hostId, name: HOST_ALIVE_KEY }, text, () => this.facts.isAlive(hostId));
  }

  /** Publishes that a host forwards for a port; done when the API knows. */
  async active(portId: Id, state: object): Promise<void> {
    await this.#publish({ kind: "port", id: portId, name: PORT_ACTIVE_KEY }, JSON.stringify(state), () => true);
  }

  async #publish(key: StateKey, text: string, isKnown: () => boolean): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const stop = this.facts.subscribe((_kind, id) => {
        if (id !== key.id || !isKnown()) return;
        stop();
        resolve();
      });
    });
    const done = await this.published.set(key, text, { writer: "last" });
    if (!done.ok) throw new Error(JSON.stringify(done.error));
    await heard;
  }

  /** Writes a document into the store, as another program might. */
  async plant(path: string, text: string): Promise<void> {
    const data = new TextEncoder().encode(text);
    const { tree } = this.connection;
    const set = await tree.set(path, data);
    if (!set.ok) await tree.create(path, data);
  }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
