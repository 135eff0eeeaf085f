import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { ManualClock } from "./clock.ts";
import { moduleOf } from "./entry.ts";
import { childLink, onParentGone, onStop, type StopReason } from "./parent.ts";

/** A child that says "up", and "gone" when its parent's end of the link has closed. */
const child = `
  import { onParentGone } from ${JSON.stringify(moduleOf("base/parent"))};
  const forever = setInterval(() => {}, 1000);
  onParentGone(() => { console.log("gone"); clearInterval(forever); });
  console.log("up", process.env.WEFT_PARENT_FD ?? "unset");
`;

test("a child learns that the other end of its link has closed, and hides the link from its own children", async () => {
  const { stdio, env } = childLink(process.env);
  const running = spawn(process.execPath, ["--input-type=module", "--eval", child], {
    env,
    stdio: [stdio[0], "pipe", "inherit", stdio[3]],
  });
  let printed = "";
  running.stdout?.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
    // The kernel closes our end in the same way when we die.
    if (printed.includes("up")) (running.stdio[3] as unknown as { destroy(): void }).destroy();
  });
  await once(running, "close");
  assert.equal(printed, "up unset\ngone\n");
});

test("without a link nothing is watched", () => {
  const never = (): void => assert.fail("called");
  assert.equal(onParentGone(never, {}), false);
  assert.equal(onParentGone(never, { WEFT_PARENT_FD: "0" }), false);
  assert.equal(onParentGone(never, { WEFT_PARENT_FD: "999" }), false);
});

test("requests to stop within a second are one, a later one is repeated", () => {
  const clock = new ManualClock();
  const signals = new EventEmitter();
  const asked: [StopReason, boolean][] = [];
  const stop = onStop(clock, (reason, isRepeated) => asked.push([reason, isRepeated]), signals);
  signals.emit("SIGINT", "SIGINT");
  clock.advance(999);
  signals.emit("SIGTERM", "SIGTERM");
  clock.advance(1);
  signals.emit("SIGINT", "SIGINT");
  stop();
  assert.deepEqual(asked, [
    ["SIGINT", false],
    ["SIGINT", true],
  ]);
  assert.equal(signals.listenerCount("SIGHUP"), 0);
});
