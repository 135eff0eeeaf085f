import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ToWorker } from "./core/messages.ts";
import { type Mail, mailFlags, WorkerInbox, WorkerMail } from "./worker-inbox.ts";

const message = (version: number): ToWorker => ({ kind: "version", version });

function mail(): {
  readonly mail: WorkerMail;
  readonly inbox: WorkerInbox;
  readonly log: string[];
} {
  const flags = mailFlags();
  const port: Mail[] = [];
  const log: string[] = [];
  const take = (): Mail | undefined => {
    log.push("take");
    return port.shift();
  };
  return {
    mail: new WorkerMail(flags, { post: (sent) => void port.push(sent), wake: () => void log.push("wake") }),
    inbox: new WorkerInbox(flags, take),
    log,
  };
}

describe("mail of a worker", () => {
  it("is taken in order, and the port is asked only when there is some", () => {
    const { mail: control, inbox, log } = mail();
    assert.deepEqual(inbox.take(), []);
    assert.deepEqual(log, []);
    control.post([message(1), message(2)]);
    control.post([message(3)]);
    assert.deepEqual(inbox.take(), [message(1), message(2), message(3)]);
    log.length = 0;
    assert.deepEqual(inbox.take(), []);
    assert.deepEqual(log, []);
  });

  it("ends with the word that ends the worker", () => {
    const { mail: control, inbox } = mail();
    control.post([message(1)]);
    control.post("close");
    control.post([message(2)]);
    assert.deepEqual(inbox.take(), [message(1), "close"]);
  });

  it("wakes a worker that waits, and only one that waits", () => {
    const { mail: control, inbox, log } = mail();
    const isWoken = inbox.waitBy(() => {
      control.post([message(1)]);
      return true;
    }, 1);
    assert.equal(isWoken, true);
    assert.deepEqual(log, ["wake"]);
    control.post([message(2)]);
    assert.deepEqual(log, ["wake"]);
  });

  it("that came before the wait lets nobody wait", () => {
    const { mail: control, inbox } = mail();
    control.post([message(1)]);
    inbox.waitBy(() => assert.fail("waited beside a full inbox"), 1);
    assert.deepEqual(inbox.take(), [message(1)]);
  });
});
