import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiClient } from "../api-client/client.ts";
import type { WatchEvent } from "../api-schema/watch-event.ts";
import { idOf } from "../model/testdata/topology.ts";
import { WATCHES_MAX } from "./limits.ts";
import { ApiFixture, TOKEN } from "./testdata/fixture.ts";

/** Events as they come, in short, and a wait for the next ones. */
class Events {
  readonly lines: string[] = [];
  #wake: () => void = () => undefined;
  ended: string | undefined;

  onEvent(event: WatchEvent): void {
    this.lines.push(short(event));
    this.#wake();
  }

  onEnd(why: string | undefined): void {
    this.ended = why ?? "closed";
    this.#wake();
  }

  /** Waits until a line is there, and takes everything up to it away. */
  async until(line: string): Promise<readonly string[]> {
    while (!this.lines.includes(line) && this.ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    assert.ok(this.lines.includes(line), `${line} did not come: ${this.lines.join("; ")} ${this.ended}`);
    return this.lines.splice(0, this.lines.indexOf(line) + 1);
  }

  async end(): Promise<string> {
    while (this.ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.ended;
  }
}

function short(event: WatchEvent): string {
  if (event.type === "synced") return "synced";
  if (event.type === "deleted") return `deleted ${event.kind}`;
  if (event.type === "damaged") return `damaged ${event.kind} ${event.error.code}`;
  if (event.kind === "host") return `host ${event.object.name} ${event.object.isAlive}`;
  if (event.kind === "rule") return `rule at ${event.object.position}`;
  return `${event.kind} ${"name" in event.object ? event.object.name : ""} v${event.object.version}`;
}

describe("a watch", () => {
  let api: ApiFixture;
  let client: ApiClient;
  const server = createServer((request, response) => api.server?.http.routing(request, response));
  before(async () => {
    api = await new ApiFixture().open();
    const path = join(api.folder, "api.sock");
    await new Promise<void>((resolve) => server.listen(path, resolve));
    client = new ApiClient({ target: { kind: "unix", path }, token: TOKEN });
  });
  after(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await api.close();
  });

  const watch = async (...kinds: Parameters<ApiClient["watch"]>[0]): Promise<readonly [Events, () => void]> => {
    const events = new Events();
    const stop = await client.watch(kinds, {
      onEvent: (event) => events.onEvent(event),
      onEnd: (why) => events.onEnd(why),
    });
    assert.ok(stop.ok);
    return [events, stop.value];
  };

  it("tells what is there, then what changes, of the kinds that it names", async () => {
    const bridge = await api.make("bridges", { name: "net" });
    await api.make("routers", { name: "unwatched" });
    const [events, stop] = await watch("bridge");
    assert.deepEqual(await events.until("synced"), ["bridge net v0", "synced"]);
    await api.send(`PATCH /v1/bridges/${bridge.id}`, { name: "renamed" });
    await events.until("bridge renamed v1");
    await api.send(`DELETE /v1/bridges/${bridge.id}`);
    await events.until("deleted bridge");
    stop();
    assert.equal(await events.end(), "closed");
  });

  it("tells when a host comes to life", async () => {
    const host = await api.make("hosts", { name: "h" });
    const [events, stop] = await watch("host");
    await events.until("synced");
    await api.alive(host.id, "unix:/x");
    await events.until("host h true");
    stop();
  });

  it("tells the places of rules anew when one is put before them", async () => {
    const chain = await api.make("chains", { name: "c" });
    await api.make("rules", { chainId: chain.id, action: { type: "drop" } });
    const [events, stop] = await watch("rule");
    assert.deepEqual(await events.until("synced"), ["rule at 1", "synced"]);
    await api.make("rules", { chainId: chain.id, action: { type: "accept" }, position: 1 });
    await events.until("rule at 2");
    stop();
  });

  it("names a damaged object and goes on", async () => {
    await api.plant(`/weft/objects/routers/${idOf(5)}`, "{");
    const [events, stop] = await watch("router");
    assert.ok((await events.until("synced")).includes("damaged router damaged-document"));
    await api.make("routers", { name: "later" });
    await events.until("router later v0");
    stop();
  });

  it("is refused when too many are open, or when it asks for what is not there", async () => {
    const open = await Promise.all(Array.from({ length: 4 }, () => watch("chain")));
    const refused = await client.watch(["switch" as "bridge"], { onEvent: () => undefined, onEnd: () => undefined });
    assert.equal(refused.ok ? "" : refused.error.kind === "refused" && refused.error.error.code, "bad-query");
    for (const [, stop] of open) stop();
  });

  it("ends for everybody when the server closes", async () => {
    const [events] = await watch("chain");
    await events.until("synced");
    await api.server?.close();
    assert.equal(await events.end(), "the server closed the stream");
  });
});

describe("watches", () => {
  it("are limited in number", async () => {
    const api = await new ApiFixture().open();
    const path = join(api.folder, "api.sock");
    const server = createServer((request, response) => api.server?.http.routing(request, response));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const clients = Array.from(
      { length: WATCHES_MAX / 8 + 1 },
      () => new ApiClient({ target: { kind: "unix", path }, token: TOKEN }),
    );
    const quiet = { onEvent: () => undefined, onEnd: () => undefined };
    for (const client of clients.slice(0, -1)) {
      const opened = await Promise.all(Array.from({ length: 8 }, () => client.watch(["chain"], quiet)));
      for (const one of opened) assert.ok(one.ok);
    }
    const refused = await clients.at(-1)?.watch(["chain"], quiet);
    assert.equal(
      refused?.ok === false && refused.error.kind === "refused" && refused.error.error.code,
      "too-many-watches",
    );
    for (const client of clients) client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await api.close();
  });
});
