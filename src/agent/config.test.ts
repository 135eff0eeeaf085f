import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "../base/config.ts";
import { agentSchema, hostIdOf } from "./config.ts";

test("a host id is read before anything else is done, and has one way to be written", () => {
  const id = "7b0c7f0e-6a7f-4c55-9c39-0d5c0e6f2a11";
  assert.deepEqual(hostIdOf({ "host-id": id.toUpperCase() }), { ok: true, value: id });
  for (const text of ["nope", `${id}0`, "../x"]) {
    const refused = hostIdOf({ "host-id": text });
    assert.match(refused.ok ? "" : refused.error, /is no UUID: give --host-id/, text);
  }
  const missing = hostIdOf({ "host-id": undefined });
  assert.match(missing.ok ? "" : missing.error, /host-id is missing: give --host-id UUID/);
});

test("numbers that the help rules out are refused by name, before anything is made", () => {
  const bad = [
    ["--workers", "0"],
    ["--workers", "-1"],
    ["--workers", "100"],
    ["--udp-port", "70000"],
    ["--udp-port", "-5"],
    ["--ring-bytes", "1000"],
    ["--ring-bytes", "100000"],
    ["--flow-limit", "3"],
  ];
  for (const args of bad) {
    const read = readConfig(agentSchema, { args });
    assert.ok(!read.ok && read.error[0]?.key === args[0]?.slice(2), args.join(" "));
    assert.match(read.error[0]?.text ?? "", /expected a (whole number|power of two), at least/);
  }
  assert.ok(readConfig(agentSchema, { args: ["--workers", "8", "--ring-bytes", "1048576"] }).ok);
});
