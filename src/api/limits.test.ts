import assert from "node:assert/strict";
import { it } from "node:test";
import { ANSWER_WITHIN_MS } from "../api-client/limits.ts";
import { storeClientKeys } from "../store/client-config.ts";
import { AGENT_DEADLINE_MS, MAP_READY_WITHIN_MS, STORE_WAIT_MS } from "./limits.ts";

it("a client waits for longer than the API waits for everything that may not answer", () => {
  // A server that accepts and never answers is left after two thirds of a session.
  const silentServer = (2 / 3) * storeClientKeys["session-timeout"].default;
  const longest = silentServer + STORE_WAIT_MS + MAP_READY_WITHIN_MS + AGENT_DEADLINE_MS;
  assert.ok(longest < ANSWER_WITHIN_MS, `${longest} ms against ${ANSWER_WITHIN_MS} ms`);
});
