import { createServer } from "node:net";
import { JsonHttp } from "../api-client/http-json.ts";
import { AGENT_PATHS } from "../api-schema/agent-api.ts";
import { formatTcpAddress, type TcpAddress } from "../base/listen-address.ts";
import { parseMetricsListen } from "../base/metrics-listen.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import { decodeObject } from "../model/encoding.ts";
import type { Id } from "../model/objects.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { lookAtLayout } from "../store/recipes/open-layout.ts";
import { steadily, storeError } from "../store/recipes/steadily.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import type { Tree } from "../store/tree.ts";
import type { AgentValues } from "./config.ts";
import { EXIT_CONFIG } from "./exit.ts";
import { ASK_OLD_MS, STORE_PATIENCE_MS } from "./limits.ts";
import type { Management } from "./management.ts";
import type { MemorySeen } from "./open-memory.main.ts";
import { type Refusal, refusal, storeRefusal } from "./refusal.ts";

/** What is looked at before an agent is asked to hand over. */
export interface PreflightParts {
  readonly hostId: Id;
  readonly values: Pick<AgentValues, "api-socket" | "metrics-listen">;
  readonly management: Management | undefined;
  readonly scheduler: Scheduler;
  /** See `AgentOptions`. */
  readMemory(): Result<MemorySeen, string>;
  /** Opens a session of its own: that of the agent that runs is not touched. */
  connect(): Tree;
}

/**
 * Looks, while the agent of this host goes on working, whether the one that is to take over from it would be refused: by the
 * addresses it is to listen at, by the state folder, by the store. What it would only wait for is no reason.
 */
export async function preflight(parts: PreflightParts): Promise<Result<void, Refusal>> {
  const memory = parts.readMemory();
  if (!memory.ok) return err(refusal(memory.error));
  const listening = await checkListeners(parts);
  return listening.ok ? checkStore(parts, memory.value) : listening;
}

async function checkListeners(parts: PreflightParts): Promise<Result<void, Refusal>> {
  const { management, values } = parts;
  const scraper = values["metrics-listen"] === undefined ? undefined : parseMetricsListen(values["metrics-listen"]);
  if (scraper?.ok === false) return err(refusal(scraper.error, EXIT_CONFIG));
  const wanted: readonly (readonly [string, TcpAddress | undefined])[] = [
    ["api-listen", management],
    ["metrics-listen", scraper?.value],
  ];
  for (const [key, address] of wanted) {
    const failure = address === undefined || address.port === 0 ? undefined : await bindFailure(address);
    if (address === undefined || failure === undefined) continue;
    // The other one has it, and lets go of it when it hands over.
    if (failure.code === "EADDRINUSE" && (await oldPorts(values["api-socket"])).includes(address.port)) continue;
    return err(refusal(`${key}: cannot listen on ${formatTcpAddress(address)}: ${failure.message}`));
  }
  return ok(undefined);
}

/** Why nobody could listen there now; undefined when somebody could. */
function bindFailure({ host, port }: TcpAddress): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(error));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

/** Ports at which the agent that runs says that it listens. */
async function oldPorts(socket: string): Promise<readonly number[]> {
  const http = new JsonHttp({ kind: "unix", path: socket });
  const answer = await http.send({ method: "GET", path: AGENT_PATHS.support, withinMs: ASK_OLD_MS });
  http.close();
  const { config = [] } = (answer.ok ? answer.value.body : {}) as { readonly config?: readonly OldLine[] };
  return config
    .filter(({ key }) => key === "api-listen" || key === "metrics-listen")
    .map(({ value }) => Number(value.split(":").at(-1)));
}

/** A line of the configuration of the agent that runs. */
interface OldLine {
  readonly key: string;
  readonly value: string;
}

async function checkStore(parts: PreflightParts, memory: MemorySeen): Promise<Result<void, Refusal>> {
  const { scheduler } = parts;
  const connection = new StoreConnection({ scheduler, connect: () => parts.connect() });
  const patience = sleep(scheduler, STORE_PATIENCE_MS).then(() => undefined);
  const found = await Promise.race([look(connection, parts.hostId), patience]);
  // Nobody waits for the answer: the store may be away.
  void connection.close();
  if (found === undefined || (!found.ok && found.error.kind === "store-unavailable")) {
    if (memory.hasSnapshot) return ok(undefined);
    const why = found?.ok === false && found.error.kind === "store-unavailable" ? found.error.why : "no answer";
    return err(refusal(`the store cannot be reached (${why}), and the state folder has no snapshot to begin from`));
  }
  if (!found.ok) return err(storeRefusal(found.error));
  if (found.value === "whole" || !memory.hasMark || memory.hasSnapshot) return ok(undefined);
  return err(refusal("the store was emptied, and the state folder has no snapshot to begin from: weft store restore"));
}

/** Reads what an agent has to read before it can do anything. */
async function look(connection: StoreConnection, hostId: Id): Promise<Result<"whole" | "empty", StoreError>> {
  const layout = new Layout();
  const found = await lookAtLayout(connection, layout);
  if (!found.ok) return found;
  if (found.value === undefined) return ok("empty");
  const read = await steadily(connection, (tree) => tree.get(layout.object("host", hostId)));
  if (!read.ok) return read.error.kind === "no-node" ? ok("whole") : err(storeError(read.error));
  const host = decodeObject({ kind: "host", id: hostId }, new TextDecoder().decode(read.value.data));
  return host.ok ? ok("whole") : err({ kind: "damaged", error: host.error });
}
