import type { ServerResponse } from "node:http";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import type { WatchEvent } from "../api-schema/watch-event.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { Kind } from "../model/objects.ts";
import { isKind, KINDS } from "../model/registry.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import type { Facts } from "./facts.ts";
import { WATCH_BUFFER_BYTES_MAX, WATCH_HEARTBEAT_MS, WATCHES_MAX } from "./limits.ts";
import { WatchFeed } from "./watch-feed.ts";

/** What watches need. */
export interface WatchParts {
  readonly topology: TopologyStore;
  readonly facts: Facts;
  readonly scheduler: Scheduler;
}

/** Open watches of one server: server-sent events, one feed a client. */
export class Watches {
  readonly #parts: WatchParts;
  readonly #open = new Set<() => void>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** How many clients follow. */
  get count(): number {
    return this.#open.size;
  }

  /** Ends all watches. */
  close(): void {
    for (const end of [...this.#open]) end();
  }

  /** The operation. */
  endpoint(): Endpoint {
    return {
      method: "GET",
      path: "/v1/watch",
      operation: "watch",
      tag: "watch",
      summary: "Follows objects as server-sent events: all that is there, then `synced`, then every change",
      query: { kind: `Kinds, separated by commas, of ${KINDS.join(", ")}; all when absent` },
      status: 200,
      errors: ["bad-query", "too-many-watches"],
      isStream: true,
      handle: (request) => this.#start(request),
    };
  }

  async #start(request: ApiRequest): Promise<Result<Answer, ApiError>> {
    const kinds = kindsOf(request.query["kind"]);
    if (!kinds.ok) return kinds;
    if (this.#open.size >= WATCHES_MAX)
      return err(apiError("too-many-watches", { expected: `at most ${WATCHES_MAX}` }));
    const { response } = request.raw;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    const feed = new WatchFeed({ ...this.#parts, kinds: kinds.value, onEvent: (event) => send(event) });
    const beat = new Heartbeat(this.#parts.scheduler, response);
    const end = (): void => {
      if (!this.#open.delete(end)) return;
      beat.stop();
      feed.close();
      response.end();
    };
    const send = (event: WatchEvent): void => {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      // A client that does not read is cut off: it has to start over, and we do not keep its backlog.
      if (response.writableLength > WATCH_BUFFER_BYTES_MAX) response.destroy();
    };
    this.#open.add(end);
    response.on("close", end);
    await feed.start();
    return ok({});
  }
}

/** A comment now and then, so that proxies and clients know a quiet stream from a dead one. */
class Heartbeat {
  readonly #scheduler: Scheduler;
  readonly #response: ServerResponse;
  #timer: Timer;

  constructor(scheduler: Scheduler, response: ServerResponse) {
    this.#scheduler = scheduler;
    this.#response = response;
    this.#timer = this.#next();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    return this.#scheduler.after(WATCH_HEARTBEAT_MS, () => {
      this.#response.write(": still here\n\n");
      this.#timer = this.#next();
    });
  }
}

function kindsOf(text: string | undefined): Result<readonly Kind[], ApiError> {
  const names = text === undefined || text === "" ? KINDS : text.split(",");
  const kinds = names.filter(isKind);
  const stranger = names.find((name) => !isKind(name));
  if (stranger === undefined) return ok([...new Set(kinds)]);
  return err(apiError("bad-query", { field: "kind", expected: `kinds of ${KINDS.join(", ")}; not ${stranger}` }));
}
