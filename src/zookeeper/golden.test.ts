import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import type { NodeStat } from "../store/tree.ts";
import { readConnectRequest, readConnectResponse, writeConnectRequest, writeConnectResponse } from "./handshake.ts";
import { JuteWriter } from "./jute.ts";
import { openAcl, type Reply, type Request } from "./protocol.ts";
import { readNotification, readReply, readReplyHeader, writeNotification, writeReply } from "./reply.ts";
import { readRequest, writeRequest } from "./request.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

const stat: NodeStat = {
  ...{ czxid: 1n, mzxid: 2n, pzxid: 8n, ctime: 1_700_000_000_001, mtime: 1_700_000_000_002, version: 3, cversion: 4 },
  ...{ aversion: 5, ephemeralOwner: 0x10_0abcdn, dataLength: 6, childCount: 7 },
};
const watchLists = { relativeZxid: 77n, data: [], exist: [], child: [], persistent: [], recursive: [] };

/** The frame without its length, which is checked. */
function written(write: (writer: JuteWriter) => void): string {
  const writer = new JuteWriter(1);
  write(writer);
  const frame = hex(writer.take());
  assert.equal(Number.parseInt(frame.slice(0, 8), 16), frame.length / 2 - 4);
  return frame.slice(8);
}

/** Bytes that the Java classes of ZooKeeper 3.9.5 write for these records. */
const requests: readonly (readonly [xid: number, request: Request, frame: string])[] = [
  [
    1,
    { op: "create", path: "/größe", data: bytes(1, 2, 3), acl: openAcl, flags: 3, ttlMs: -1 },
    [
      "0000000100000001000000082f6772c3b6c39f6500000003010203000000010000001f00000005776f726c6400000006616e796f",
      "6e6500000003",
    ].join(""),
  ],
  [
    1,
    { op: "create2", path: "/a", data: bytes(), acl: openAcl, flags: 0, ttlMs: -1 },
    "000000010000000f000000022f6100000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
  ],
  [
    1,
    { op: "createTtl", path: "/a", data: bytes(9), acl: openAcl, flags: 5, ttlMs: 60_000 },
    [
      "0000000100000015000000022f610000000109000000010000001f00000005776f726c6400000006616e796f6e65000000050000",
      "00000000ea60",
    ].join(""),
  ],
  [2, { op: "delete", path: "/a", version: -1 }, "0000000200000002000000022f61ffffffff"],
  [3, { op: "exists", path: "/a", watch: true }, "0000000300000003000000022f6101"],
  [3, { op: "getData", path: "/a", watch: false }, "0000000300000004000000022f6100"],
  [4, { op: "setData", path: "/a", data: bytes(7), version: 2 }, "0000000400000005000000022f61000000010700000002"],
  [4, { op: "getChildren2", path: "/a", watch: false }, "000000040000000c000000022f6100"],
  [4, { op: "sync", path: "/a" }, "0000000400000009000000022f61"],
  [
    4,
    { op: "setAcl", path: "/a", acl: openAcl, version: 1 },
    "0000000400000007000000022f61000000010000001f00000005776f726c6400000006616e796f6e6500000001",
  ],
  [
    -4,
    { op: "auth", scheme: "digest", auth: bytes(0x75, 0x3a, 0x70) },
    "fffffffc00000064000000000000000664696765737400000003753a70",
  ],
  [5, { op: "addWatch", path: "/a", mode: 1 }, "000000050000006a000000022f6100000001"],
  [5, { op: "removeWatches", path: "/a", type: 3 }, "0000000500000012000000022f6100000003"],
  [
    -8,
    { op: "setWatches", ...watchLists, data: ["/d"], exist: ["/e"], child: ["/c"] },
    "fffffff800000065000000000000004d00000001000000022f6400000001000000022f6500000001000000022f63",
  ],
  [
    -8,
    { op: "setWatches2", ...watchLists, persistent: ["/p"], recursive: ["/r", "/s"] },
    [
      "fffffff800000069000000000000004d00000000000000000000000000000001000000022f7000000002000000022f7200000002",
      "2f73",
    ].join(""),
  ],
  [-2, { op: "ping" }, "fffffffe0000000b"],
  [
    6,
    {
      op: "multi",
      operations: [
        { op: "create", path: "/a", data: bytes(1), acl: openAcl, flags: 0, ttlMs: -1 },
        { op: "setData", path: "/b", data: bytes(2), version: 3 },
        { op: "delete", path: "/c", version: 4 },
        { op: "check", path: "/d", version: 5 },
      ],
    },
    [
      "000000060000000e0000000100ffffffff000000022f610000000101000000010000001f00000005776f726c6400000006616e79",
      "6f6e65000000000000000500ffffffff000000022f620000000102000000030000000200ffffffff000000022f63000000040000",
      "000d00ffffffff000000022f6400000005ffffffff01ffffffff",
    ].join(""),
  ],
];

const replies: readonly (readonly [asked: Request["op"], reply: Reply, frame: string])[] = [
  ["create", { op: "create", path: "/a", stat: undefined }, "00000001000000000000000900000000000000022f61"],
  [
    "create2",
    { op: "create", path: "/a", stat },
    [
      "00000001000000000000000900000000000000022f61000000000000000100000000000000020000018bcfe568010000018bcfe5",
      "6802000000030000000400000005000000000100abcd00000006000000070000000000000008",
    ].join(""),
  ],
  [
    "exists",
    { op: "stat", stat },
    [
      "00000001000000000000000900000000000000000000000100000000000000020000018bcfe568010000018bcfe5680200000003",
      "0000000400000005000000000100abcd00000006000000070000000000000008",
    ].join(""),
  ],
  [
    "getData",
    { op: "getData", data: bytes(1, 2), stat },
    [
      "00000001000000000000000900000000000000020102000000000000000100000000000000020000018bcfe568010000018bcfe5",
      "6802000000030000000400000005000000000100abcd00000006000000070000000000000008",
    ].join(""),
  ],
  [
    "getChildren2",
    { op: "children", names: ["a", "b"], stat },
    [
      "000000010000000000000009000000000000000200000001610000000162000000000000000100000000000000020000018bcfe5",
      "68010000018bcfe56802000000030000000400000005000000000100abcd00000006000000070000000000000008",
    ].join(""),
  ],
  [
    "getAcl",
    { op: "acl", acl: openAcl, stat },
    [
      "00000001000000000000000900000000000000010000001f00000005776f726c6400000006616e796f6e65000000000000000100",
      "000000000000020000018bcfe568010000018bcfe56802000000030000000400000005000000000100abcd000000060000000700",
      "00000000000008",
    ].join(""),
  ],
  [
    "multi",
    {
      op: "multi",
      results: [
        { op: "create", path: "/a", stat: undefined },
        { op: "setData", stat },
        { op: "delete" },
        { op: "check" },
      ],
    },
    [
      "00000001000000000000000900000000000000010000000000000000022f61000000050000000000000000000000000100000000",
      "000000020000018bcfe568010000018bcfe56802000000030000000400000005000000000100abcd000000060000000700000000",
      "000000080000000200000000000000000d0000000000ffffffff01ffffffff",
    ].join(""),
  ],
  [
    "multi",
    { op: "multi", results: [0, -101, -2].map((code) => ({ op: "error", code })) },
    [
      "00000001000000000000000900000000ffffffff000000000000000000ffffffff00ffffff9bffffff9bffffffff00fffffffeff",
      "fffffeffffffff01ffffffff",
    ].join(""),
  ],
  [
    "whoAmI",
    { op: "identities", identities: [{ scheme: "ip", user: "127.0.0.1" }] },
    "0000000100000000000000090000000000000001000000026970000000093132372e302e302e31",
  ],
];

for (const [xid, request, frame] of requests) {
  test(`a request ${request.op} is written and read as Apache's Java client does`, () => {
    assert.equal(
      written((writer) => writeRequest(writer, xid, request)),
      frame,
    );
    assert.deepEqual(unwrap(readRequest(unhex(frame))), { xid, request });
  });
}

for (const [asked, reply, frame] of replies) {
  test(`a reply to ${asked} (${reply.op}) is written and read as Apache's Java server does`, () => {
    assert.equal(
      written((writer) => writeReply(writer, { xid: 1, zxid: 9n, error: 0 }, reply)),
      frame,
    );
    assert.deepEqual(unwrap(readReplyHeader(unhex(frame))), { xid: 1, zxid: 9n, error: 0 });
    assert.deepEqual(unwrap(readReply(unhex(frame), asked)), reply);
  });
}

test("a failed reply is a header only", () => {
  const frame = "000000010000000000000009ffffff9b";
  assert.equal(
    written((writer) => writeReply(writer, { xid: 1, zxid: 9n, error: -101 }, { op: "stat", stat })),
    frame,
  );
  assert.deepEqual(unwrap(readReplyHeader(unhex(frame))), { xid: 1, zxid: 9n, error: -101 });
});

test("a watch event is written and read as Apache does", () => {
  const frame = "ffffffff0000000000000005000000000000000300000003000000022f61";
  assert.equal(
    written((writer) => writeNotification(writer, 5n, { type: 3, path: "/a" })),
    frame,
  );
  assert.deepEqual(unwrap(readNotification(unhex(frame))), { type: 3, path: "/a" });
});

test("the first frames of client and server are Apache's", () => {
  const session = { timeoutMs: 10_000, sessionId: 0x100n, password: new Uint8Array(16), readOnly: false };
  const request = "000000000000001122334455000027100000000000000100000000100000000000000000000000000000000000";
  const response = "00000000000027100000000000000100000000100000000000000000000000000000000000";
  const asked = { ...session, lastZxid: 0x11_2233_4455n };
  assert.equal(
    written((writer) => writeConnectRequest(writer, asked)),
    request,
  );
  assert.deepEqual(unwrap(readConnectRequest(unhex(request))), asked);
  assert.equal(
    written((writer) => writeConnectResponse(writer, session)),
    response,
  );
  assert.deepEqual(unwrap(readConnectResponse(unhex(response))), session);
});

test("a client of before 3.4 leaves the read-only byte out, and is understood", () => {
  const frame = unhex("0000000000000011223344550000271000000000000001000000001000000000000000000000000000000000");
  assert.equal(unwrap(readConnectRequest(frame)).readOnly, undefined);
});

test("absent data and absent strings read as empty ones", () => {
  const frame = unhex("0000000100000005000000022f61ffffffff00000000");
  assert.deepEqual(unwrap(readRequest(frame)).request, { op: "setData", path: "/a", data: bytes(), version: 0 });
});
