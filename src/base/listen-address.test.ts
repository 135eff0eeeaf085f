import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTcpAddress, parseTcpAddress, socketAddress, type TcpAddressRule } from "./listen-address.ts";
import { unwrap } from "./result.ts";

const rule: TcpAddressRule = { key: "listen", expected: "an address and a port" };

test("an address is read with its port, IPv6 in brackets, and written as it was read", () => {
  for (const [text, host, port] of [
    ["127.0.0.1:8181", "127.0.0.1", 8181],
    ["[fd00::5]:1", "fd00::5", 1],
    ["zk1.example.net:65535", "zk1.example.net", 65_535],
    ["localhost:0", "localhost", 0],
  ] as const) {
    const address = unwrap(parseTcpAddress(text, rule));
    assert.deepEqual(address, { host, port });
    assert.equal(formatTcpAddress(address), text);
  }
});

test("what is no address is refused with the key, the text and what was expected", () => {
  for (const text of ["", ":1", "8181", "a:", "a:70000", "::1:80", "[::1]", "a b:1", "127.0.0.1:1 "]) {
    assert.deepEqual(parseTcpAddress(text, rule), { ok: false, error: `listen: ${text}: expected ${rule.expected}` });
  }
});

test("a rule may give a port alone a host, forbid port 0, and allow some hosts only", () => {
  assert.deepEqual(unwrap(parseTcpAddress("80", { ...rule, defaultHost: "::1" })), { host: "::1", port: 80 });
  assert.ok(!parseTcpAddress("a:0", { ...rule, minPort: 1 }).ok);
  const isAllowed = (host: string): boolean => host === "::1";
  assert.ok(parseTcpAddress("[::1]:1", { ...rule, isAllowed }).ok);
  assert.ok(!parseTcpAddress("[::2]:1", { ...rule, isAllowed }).ok);
});

test("the path of a socket is at most as long as the kernel takes it, in bytes", () => {
  assert.deepEqual(socketAddress("socket", "a".repeat(107)), {
    ok: true,
    value: { kind: "unix", path: "a".repeat(107) },
  });
  assert.match(JSON.stringify(socketAddress("socket", "ä".repeat(54))), /socket: .* longer than the 107 bytes/);
});
