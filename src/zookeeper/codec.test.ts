import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unwrap } from "../base/result.ts";
import type { NodeStat } from "../store/tree.ts";
import { FrameSplitter } from "./frames.ts";
import { readConnectRequest, readConnectResponse, writeConnectRequest } from "./handshake.ts";
import { JuteReader, JuteWriter } from "./jute.ts";
import { type Acl, openAcl, type Reply, type Request, type WriteOperation } from "./protocol.ts";
import { readNotification, readReply, readReplyHeader, writeReply } from "./reply.ts";
import { readRequest, writeRequest } from "./request.ts";

/** fast-check's records with an ordinary prototype, as the codec makes them. */
function record<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const path = fc.string({ unit: "binary", maxLength: 20 }).map((text) => `/${text.toWellFormed()}`);
const data = fc.uint8Array({ maxLength: 40 });
const int = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const acl: fc.Arbitrary<Acl[]> = fc.array(record({ permissions: int, scheme: path, id: path }), { maxLength: 3 });
const stat: fc.Arbitrary<NodeStat> = record({
  ...{ czxid: long, mzxid: long, pzxid: long, ctime: time, mtime: time, version: int, cversion: int, aversion: int },
  ...{ ephemeralOwner: long, dataLength: int, childCount: int },
});

const write: fc.Arbitrary<WriteOperation> = fc.oneof(
  record({
    op: fc.constantFrom("create", "create2", "createContainer"),
    path,
    data,
    acl,
    flags: int,
    ttlMs: fc.constant(-1),
  }),
  record({ op: fc.constant("createTtl"), path, data, acl, flags: int, ttlMs: time }),
  record({ op: fc.constant("setData"), path, data, version: int }),
  record({ op: fc.constantFrom("delete", "check"), path, version: int }),
);
const paths = fc.array(path, { maxLength: 4 });
const request: fc.Arbitrary<Request> = fc.oneof(
  write,
  record({ op: fc.constantFrom("exists", "getData", "getChildren", "getChildren2"), path, watch: fc.boolean() }),
  record({ op: fc.constantFrom("getAcl", "sync", "getEphemerals", "getAllChildrenNumber"), path }),
  record({ op: fc.constant("setAcl"), path, acl, version: int }),
  record({ op: fc.constantFrom("ping", "closeSession", "whoAmI") }),
  record({ op: fc.constant("auth"), scheme: path, auth: data }),
  record({ op: fc.constant("multi"), operations: fc.array(write, { maxLength: 5 }) }),
  record({
    op: fc.constant("multiRead"),
    operations: fc.array(record({ op: fc.constantFrom("getData", "getChildren"), path }), { maxLength: 5 }),
  }),
  record({ op: fc.constant("addWatch"), path, mode: int }),
  record({ op: fc.constantFrom("checkWatches", "removeWatches"), path, type: int }),
  record({
    op: fc.constant("setWatches2"),
    ...{ relativeZxid: long, data: paths, exist: paths, child: paths, persistent: paths, recursive: paths },
  }),
);
const reply: fc.Arbitrary<readonly [Request["op"], Reply]> = fc.oneof(
  fc.tuple(fc.constant("create"), record({ op: fc.constant("create"), path, stat: fc.constant(undefined) })),
  fc.tuple(fc.constant("create2"), record({ op: fc.constant("create"), path, stat })),
  fc.tuple(fc.constant("getData"), record({ op: fc.constant("getData"), data, stat })),
  fc.tuple(fc.constant("getChildren2"), record({ op: fc.constant("children"), names: paths, stat })),
  fc.tuple(fc.constant("getAcl"), record({ op: fc.constant("acl"), acl, stat })),
  fc.tuple(fc.constant("getEphemerals"), record({ op: fc.constant("paths"), paths })),
  fc.tuple(
    fc.constant("multi"),
    record({
      op: fc.constant("multi"),
      results: fc.array(
        fc.oneof(
          record({ op: fc.constant("create"), path, stat: fc.option(stat, { nil: undefined }) }),
          record({ op: fc.constant("setData"), stat }),
          record({ op: fc.constantFrom("delete", "check") }),
          record({ op: fc.constant("getData"), data, stat }),
          record({ op: fc.constant("getChildren"), names: paths }),
          record({ op: fc.constant("error"), code: int }),
        ),
        { maxLength: 5 },
      ),
    }),
  ),
) as fc.Arbitrary<readonly [Request["op"], Reply]>;

function frameOf(writeFrame: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter(8);
  writeFrame(writer);
  return writer.take().slice(4);
}

test("every request is read back as it was written, and refused when cut at any byte", () => {
  fc.assert(
    fc.property(int, request, (xid, value) => {
      const frame = frameOf((writer) => writeRequest(writer, xid, value));
      assert.deepEqual(unwrap(readRequest(frame)), { xid, request: value });
      for (let length = 0; length < frame.length; length++)
        assert.equal(readRequest(frame.subarray(0, length)).ok, false);
      assert.equal(readRequest(Buffer.concat([frame, new Uint8Array(1)])).ok, false);
    }),
    { numRuns: 300 },
  );
});

test("every reply is read back as it was written, and refused when cut at any byte", () => {
  fc.assert(
    fc.property(int, reply, (xid, [asked, value]) => {
      const header = { xid, zxid: 1n, error: 0 };
      const frame = frameOf((writer) => writeReply(writer, header, value));
      assert.deepEqual(unwrap(readReplyHeader(frame)), header);
      assert.deepEqual(unwrap(readReply(frame, asked)), value);
      for (let length = 16; length < frame.length; length++) {
        assert.equal(readReply(frame.subarray(0, length), asked).ok, false);
      }
    }),
    { numRuns: 300 },
  );
});

test("bytes of any kind are read or refused, never more: no exception, no endless loop", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: -12, max: 110 }), (noise, code) => {
      const typed = Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(4), noise]);
      typed.writeInt32BE(code, 4);
      readRequest(noise);
      readRequest(typed);
      readConnectRequest(noise);
      readConnectResponse(noise);
      readReplyHeader(noise);
      readNotification(noise);
      for (const asked of ["create2", "getChildren2", "multi", "getAcl", "whoAmI", "getData"] as const)
        readReply(noise, asked);
    }),
    { numRuns: 2_000 },
  );
});

test("a count that its bytes cannot hold is refused before anything is read", () => {
  const reader = new JuteReader(Buffer.from("7fffffff00000000", "hex"));
  assert.deepEqual(reader.strings("names"), []);
  const result = reader.finish(undefined);
  assert.equal(!result.ok && result.error.field, "names");
});

test("what is malformed is named with its field and place", () => {
  const frame = Buffer.from("0000000100000004000000092f61", "hex");
  const result = readRequest(frame);
  assert.deepEqual(result, { ok: false, error: { field: "path", at: 12, why: "a length of 9, has 2 bytes" } });
});

test("an operation that nobody knows is a value, so that it can be answered", () => {
  const frame = frameOf((writer) => writeRequest(writer, 4, { op: "unknown", code: 999 }));
  assert.deepEqual(unwrap(readRequest(frame)), { xid: 4, request: { op: "unknown", code: 999 } });
});

test("a stream gives the same frames however it is cut", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
  fc.assert(
    fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (wanted, cuts) => {
      const stream = Buffer.concat(wanted.flatMap((frame) => [lengthOf(frame.length), frame]));
      const splitter = new FrameSplitter(50);
      const seen: number[][] = [];
      for (let at = 0; at < stream.length; ) {
        const { value: size } = cuts.next();
        splitter.push(stream.subarray(at, at + size));
        at += size;
        for (let frame = unwrap(splitter.next()); frame !== undefined; frame = unwrap(splitter.next()))
          seen.push([...frame]);
      }
      assert.deepEqual(
        seen,
        wanted.map((frame) => [...frame]),
      );
      assert.equal(splitter.waiting, 0);
    }),
  );
});

test("a frame that is longer than the limit, or of negative length, ends the stream at once", () => {
  for (const length of [51, -1]) {
    const splitter = new FrameSplitter(50);
    splitter.push(lengthOf(length));
    assert.deepEqual(splitter.next(), { ok: false, error: { length, limit: 50 } });
  }
});

test("a long frame in many pieces is put together once", () => {
  const splitter = new FrameSplitter(4_000_000);
  splitter.push(lengthOf(4_000_000));
  for (let i = 0; i < 1_000; i++) {
    assert.equal(unwrap(splitter.next()), undefined);
    splitter.push(new Uint8Array(4_000).fill(i));
  }
  assert.equal(unwrap(splitter.next())?.[3_999_999], 999 & 0xff);
});

test("the writer hands out what was written and starts afresh", () => {
  const writer = new JuteWriter(4);
  writeConnectRequest(writer, {
    lastZxid: 0n,
    timeoutMs: 1,
    sessionId: 0n,
    password: new Uint8Array(16),
    readOnly: false,
  });
  const first = writer.take();
  writer.int(1);
  assert.equal(first.length, 49);
  assert.deepEqual([...writer.take()], [0, 0, 0, 1]);
  assert.equal(writer.length, 0);
});

test("an access list survives as it is", () => {
  const frame = frameOf((writer) => writeRequest(writer, 1, { op: "setAcl", path: "/", acl: openAcl, version: 0 }));
  assert.deepEqual(unwrap(readRequest(frame)).request, { op: "setAcl", path: "/", acl: openAcl, version: 0 });
});

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(length);
  return bytes;
}
