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
import {
  KEEPALIVE_LENGTH,
  KEEPALIVE_REFUSED,
  KEEPALIVE_REPLIES,
  KEEPALIVE_SECRET,
  KEEPALIVE_WORDS,
} from "../flow/layout.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { KeepAlives } from "./keep-alives.ts";
import { SECRET_AGAIN_MS } from "./limits.ts";

const PEER = 3;

/** A peer behind a way that carries inner frames of at most `width` bytes. */
function behind(width: number, secret = { text: "0123456789abcdef0123456789abcdef", reads: 0 }) {
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
    findSecret: async () => {
      secret.reads++;
      return ok(secret.text);
    },
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
  return { subject, settle, sent, scheduler, keepAlives };
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

describe("the cloud's secret", () => {
  it("is read again while keep-alives are refused, no more often than the limit says, and when the store was restored", async () => {
    const secret = { text: "0".repeat(32), reads: 0 };
    const { subject, scheduler, keepAlives } = behind(1464, secret);
    subject.start();
    await passTime(scheduler, SECRET_AGAIN_MS);
    assert.equal(secret.reads, 1);
    secret.text = "f".repeat(32);
    for (let second = 0; second < 30; second++) {
      keepAlives[PEER * KEEPALIVE_WORDS + KEEPALIVE_REFUSED] = second + 1;
      await passTime(scheduler, 1_000);
    }
    assert.equal(subject.refusedMs(77), undefined);
    assert.ok((subject.refusedMs(PEER) ?? Number.POSITIVE_INFINITY) <= 2_000);
    assert.ok(secret.reads >= 3 && secret.reads <= 4, `${secret.reads} reads`);
    assert.equal(keepAlives[KEEPALIVE_SECRET], 0xffff_ffff);
    const before = secret.reads;
    subject.learnAgain();
    await passTime(scheduler, 1);
    assert.equal(secret.reads, before + 1);
    subject.close();
  });
});
