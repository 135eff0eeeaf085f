import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unwrap } from "../base/result.ts";
import { ApiClient, formatClientError } from "./client.ts";
import { EventStream } from "./event-stream.ts";
import { formatHttpTarget, JsonHttp, parseHttpTarget } from "./http-json.ts";
import { EVENT_BYTES_MAX } from "./limits.ts";

async function serving(handle: RequestListener, use: (address: string) => Promise<void>): Promise<void> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

describe("an address", () => {
  it("is a socket, a name or a number, with a port or the usual one", () => {
    const read = (text: string): string => {
      const target = parseHttpTarget(text);
      return target.ok ? formatHttpTarget(target.value) : "none";
    };
    assert.equal(read("unix:/run/weft/api.sock"), "unix:/run/weft/api.sock");
    assert.equal(read("http://127.0.0.1:80/"), "http://127.0.0.1:80");
    assert.equal(read("[::1]:9"), "http://[::1]:9");
    assert.equal(read("example.test"), "http://example.test:8181");
    for (const text of ["", "unix:api.sock", "https://a", "a:0", "a:70000", "a b", "http://a/b"])
      assert.equal(read(text), "none", text);
  });
});

describe("a client", () => {
  it("tells what is no API of weft from what is away", async () => {
    const answers = ["<html>", '{"error":"no"}', '{"error":{"code":"strange"}}'];
    await serving(
      (_request, response) => response.writeHead(500).end(answers.shift()),
      async (address) => {
        const client = new ApiClient({ target: unwrap(parseHttpTarget(address)) });
        for (let i = 0; i < 3; i++) {
          const result = await client.list("bridge");
          assert.match(result.ok ? "" : formatClientError(result.error), /is not the API of weft/);
        }
        client.close();
      },
    );
  });

  it("waits only so long", async () => {
    await serving(
      () => undefined,
      async (address) => {
        const http = new JsonHttp(unwrap(parseHttpTarget(address)));
        const result = await http.send({ method: "GET", path: "/", withinMs: 20 });
        assert.deepEqual(result, { ok: false, error: { kind: "timeout", why: "no answer within 20 ms" } });
        http.close();
      },
    );
  });
});

describe("a stream of events", () => {
  it("comes out whole however it was cut", () => {
    const text = ": hello\n\nevent: a\ndata: 1\n\ndata: 2\r\ndata: 3\r\n\r\nid: 7\n\ndata:4\n\n";
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        const stream = new EventStream();
        const places = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const found = places.slice(1).flatMap((end, i) => stream.push(text.slice(places[i], end)));
        assert.deepEqual(found, ["1", "2\n3", "4"]);
      }),
    );
  });

  it("breaks at an event that is too large", () => {
    const stream = new EventStream();
    assert.deepEqual(stream.push(`data: ${"x".repeat(EVENT_BYTES_MAX)}`), []);
    assert.ok(stream.isBroken);
    assert.deepEqual(stream.push("\n\ndata: 1\n\n"), []);
  });
});
