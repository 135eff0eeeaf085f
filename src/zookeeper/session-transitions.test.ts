import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticating, Bench, dialling, done, handshaking, resuming, timeoutMs } from "./fixture/session-bench.ts";
import { zookeeperLimits } from "./limits.ts";
import { errorCode, specialXid } from "./protocol.ts";

/** Every transition of the life of a connection: from where, what happens, what the shell is told, the state after it. */
const transitions: readonly {
  readonly from: string;
  readonly when: string;
  readonly bench: () => Bench;
  readonly input: (bench: Bench) => void;
  readonly effects: readonly string[];
  readonly state: string;
}[] = [
  {
    from: "idle",
    when: "start",
    bench: () => new Bench(),
    input: (bench) => bench.do((session, now) => session.start(now)),
    effects: ["dial 0"],
    state: "connecting",
  },
  {
    from: "idle",
    when: "time passes",
    bench: () => new Bench(),
    input: (bench) => bench.pass(60_000),
    effects: [],
    state: "connecting",
  },
  {
    from: "dial",
    when: "the server refuses",
    bench: dialling,
    input: (bench) => bench.lose(),
    effects: [],
    state: "connecting",
  },
  {
    from: "dial",
    when: "nobody answers for session time-out / servers",
    bench: dialling,
    input: (bench) => bench.pass(timeoutMs),
    effects: ["hang-up"],
    state: "connecting",
  },
  {
    from: "handshake",
    when: "the server accepts and never answers",
    bench: handshaking,
    input: (bench) => bench.pass(timeoutMs),
    effects: ["hang-up"],
    state: "connecting",
  },
  {
    from: "handshake",
    when: "a session is granted",
    bench: handshaking,
    input: (bench) => bench.welcome(),
    effects: ["connected"],
    state: "connected",
  },
  {
    from: "handshake",
    when: "a session that was not asked for is refused",
    bench: handshaking,
    input: (bench) => bench.welcome(0n, 0),
    effects: ["hang-up"],
    state: "connecting",
  },
  {
    from: "handshake",
    when: "rubbish comes",
    bench: handshaking,
    input: (bench) => bench.receive((writer) => writer.buffer(new Uint8Array(5))),
    effects: ["hang-up"],
    state: "connecting",
  },
  {
    from: "handshake of a resume",
    when: "the server does not know the session",
    bench: resuming,
    input: (bench) => bench.welcome(0n, 0),
    effects: ["hang-up", "expired"],
    state: "expired",
  },
  {
    from: "handshake of a resume",
    when: "the server answers with another session",
    bench: resuming,
    input: (bench) => bench.welcome(0x66n),
    effects: ["hang-up"],
    state: "connecting",
  },
  {
    from: "open",
    when: "the connection breaks",
    bench: () => new Bench().open(),
    input: (bench) => bench.lose(),
    effects: ["suspended"],
    state: "suspended",
  },
  {
    from: "open",
    when: "two thirds of the session time-out pass in silence",
    bench: () => new Bench().open(),
    input: (bench) => bench.pass((timeoutMs * 2) / 3),
    effects: ["hang-up", "suspended"],
    state: "suspended",
  },
  {
    from: "open",
    when: "a frame is longer than any reply",
    bench: () => new Bench().open(),
    input: (bench) => bench.receive((writer) => writer.int(zookeeperLimits.replyBytes + 1)),
    effects: ["hang-up", "suspended"],
    state: "suspended",
  },
  {
    from: "open",
    when: "a reply comes to nothing that was asked",
    bench: () => new Bench().open(),
    input: (bench) => bench.reply(77),
    effects: ["hang-up", "suspended"],
    state: "suspended",
  },
  {
    from: "open",
    when: "close, and the server says goodbye",
    bench: () => new Bench().open(),
    input: (bench) => {
      bench.do((session, now) => session.close(now));
      bench.reply(1);
    },
    effects: ["hang-up", "closed"],
    state: "closed",
  },
  {
    from: "open",
    when: "close, and the server hangs up instead",
    bench: () => new Bench().open(),
    input: (bench) => {
      bench.do((session, now) => session.close(now));
      bench.lose();
    },
    effects: ["closed"],
    state: "closed",
  },
  {
    from: "open",
    when: "close, and the server is silent",
    bench: () => new Bench().open(),
    input: (bench) => {
      bench.do((session, now) => session.close(now));
      bench.pass(zookeeperLimits.closeMs);
    },
    effects: ["hang-up", "closed"],
    state: "closed",
  },
  {
    from: "open",
    when: "detach: the session lives on elsewhere",
    bench: () => new Bench().open(),
    input: (bench) => bench.do((session) => session.detach()),
    effects: ["hang-up", "closed"],
    state: "closed",
  },
  {
    from: "dial",
    when: "close before there was a session",
    bench: dialling,
    input: (bench) => bench.do((session, now) => session.close(now)),
    effects: ["hang-up", "closed"],
    state: "closed",
  },
  {
    from: "pause",
    when: "the pause is over",
    bench: () => {
      const bench = new Bench().open();
      bench.lose();
      bench.lines();
      return bench;
    },
    input: (bench) => bench.pass(zookeeperLimits.backoffMinMs),
    effects: ["dial 0"],
    state: "suspended",
  },
  {
    from: "authenticate",
    when: "the credentials are accepted",
    bench: authenticating,
    input: (bench) => bench.reply(specialXid.auth),
    effects: ["connected"],
    state: "connected",
  },
  {
    from: "authenticate",
    when: "the credentials are refused",
    bench: authenticating,
    input: (bench) => bench.reply(specialXid.auth, done, { error: errorCode.authFailed }),
    effects: ["hang-up", "closed"],
    state: "closed",
  },
  {
    from: "closed",
    when: "anything at all",
    bench: () => {
      const bench = new Bench().open();
      bench.do((session) => session.detach());
      bench.lines();
      return bench;
    },
    input: (bench) => {
      bench.lose();
      bench.welcome();
      bench.pass(60_000);
      bench.do((session, now) => session.close(now));
      bench.do((session, now) => session.start(now));
    },
    effects: [],
    state: "closed",
  },
];

for (const { from, when, bench: make, input, effects, state } of transitions) {
  test(`session: ${from}, ${when}: ${effects.join(", ") || "nothing"}`, () => {
    const bench = make();
    input(bench);
    assert.deepEqual(bench.lines(), effects);
    assert.equal(bench.session.state, state);
  });
}
