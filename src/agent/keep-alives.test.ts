import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIp } from "../addr/ip.ts";
import { ManualClock } from "../base/clock.ts";
import { MemoryLog } from "../base/log.ts";
import { Prng } from "../base/prng.ts";
import { ok, unwrap } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import { writePeer } from "../datapath/records.ts";
import { KEEPALIVE_LENGTH, KEEPALIVE_REPLIES, KEEPALIVE_WORDS } from "../flow/layout.ts";
import { KeepAlives } from "./keep-alives.ts";

const PEER = 3;

/** A peer behind a way that carries inner frames of at most `width` bytes. */
function behind(width: number) {
  const scheduler = new VirtualScheduler();
  const prng = new Prng(1);
  const datapath = new MemoryDatapath({ clock: new ManualClock(0), prng, bucketsPerShard: 1, send: () => undefined });
  const { keepAlives, peers } = datapath.memory;
  writePeer(peers, { peer: PEER, address: unwrap(parseIp("192.0.2.2")), mtu: 1450, isUp: true, epoch: 9 });
  const sent: number[] = [];
  datapath.sendToPeer = (peer, _key, frame) => {
    sent.push(frame.length);
    if (frame.length > width) return true;
    const at = peer * KEEPALIVE_WORDS;
    scheduler.after(1, () => {
      keepAlives[at + KEEPALIVE_LENGTH] = frame.length;
      keepAlives[at + KEEPALIVE_REPLIES] = (keepAlives[at + KEEPALIVE_REPLIES] as number) + 1;
    });
    return true;
  };
  const subject = new KeepAlives({
    ...{ hostId: "00000000-0000-8000-8000-000000000001", datapath, scheduler, prng, log: new MemoryLog() },
    findSecret: async () => ok("0123456789abcdef0123456789abcdef"),
    dispatch: () => undefined,
  });
  const settle = async <T>(outcome: Promise<T>): Promise<T> => {
    let isDone = false;
    void outcome.then(() => (isDone = true));
    for (let i = 0; i < 5_000 && !isDone; i++) {
      await Promise.resolve();
      scheduler.step();
    }
    return outcome;
  };
  return { subject, settle, sent };
}

describe("a way that is probed by a padded keep-alive", () => {
  it("is wide when it is answered", async () => {
    const { subject, settle, sent } = behind(1464);
    subject.start();
    await settle(Promise.resolve());
    assert.equal(await settle(subject.probePath(PEER, 1464)), true);
    assert.ok(sent.includes(1464));
    subject.close();
  });

  it("is too narrow when only short ones are answered, also after an earlier long one was", async () => {
    const { subject, settle, sent } = behind(1400);
    subject.start();
    await settle(Promise.resolve());
    assert.equal(await settle(subject.probePath(PEER, 1400)), true);
    assert.equal(await settle(subject.probePath(PEER, 1464)), false);
    assert.equal(sent.filter((bytes) => bytes === 1464).length, 3);
    subject.close();
  });

  it("is not known of a host that is no peer, and before the secret is known", async () => {
    const { subject, settle } = behind(1464);
    assert.equal(await settle(subject.probePath(PEER, 1464)), undefined);
    subject.start();
    await settle(Promise.resolve());
    assert.equal(await settle(subject.probePath(77, 1464)), undefined);
    subject.close();
  });
});
