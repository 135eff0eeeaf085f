import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { until } from "../../src/lab/until.ts";
import { steadily } from "../../src/store/recipes/steadily.ts";
import { needs } from "../needs.ts";
import { CallRecorder, type Stamps } from "../property/call-recorder.ts";
import { type Contender, contenders, type Intent } from "../property/contenders.ts";
import { HoldRecorder } from "../property/hold-recorder.ts";
import { checkEach, type Verdict } from "../property/linearizability.ts";
import {
  holdSpec,
  type KeyInput,
  type NodeInput,
  nodeSpec,
  stateKeySpec,
  unseenAlike,
} from "../property/sequential-specs.ts";
import { KeyClient, type NodeAct, NodeClient } from "../property/store-clients.ts";
import { leaderOf } from "./apache-roles.ts";
import { type ApacheEnsemble, replaceLeader, startApache } from "./apache-zookeeper.ts";
import { freshStore, type RealFault, RealProcess } from "./real-process.ts";

const processes = 3;
const turns = 90;
/** Another seed plays another script: `WEFT_SEED=7 npm test -- e2e --only ensemble-histories`. */
const seed = Number(process.env["WEFT_SEED"] ?? Date.now() & 0xffff);
/** Faults that sessions outlive. */
const faults: readonly RealFault[] = ["disconnect", "applied", "lost"];
const nodeActs: readonly NodeAct[] = ["create", "set", "set-version", "remove", "get", "get"];
const keyActs: readonly KeyInput["do"][] = ["first", "last", "clear", "get", "get"];
const intents: readonly Intent[] = ["want", "want", "give", "give"];

/** Real time, no two moments of which are the same. */
class RealTime implements Stamps {
  #last = 0;

  stamp(): number {
    this.#last = Math.max(performance.now(), this.#last + 1e-7);
    return this.#last;
  }
}

describe("histories of an ensemble whose leader is killed", { timeout: 180_000, skip: needs("java", "mvn") }, () => {
  let ensemble: ApacheEnsemble;
  before(async () => {
    ensemble = await startApache(3);
    await leaderOf(ensemble.servers);
  });
  after(() => ensemble.stop());

  test("what sessions do to nodes is linearizable, and what is unknown may have happened", async (t) => {
    const { all, play } = await world(t, "nodes");
    const recorder = new CallRecorder<NodeInput, string>(new RealTime());
    const clients = all.map((process, i) => new NodeClient(process, i, recorder));
    await play(nodeActs, (by, act) => clients[by]?.do(act));
    await answered(all);
    t.diagnostic(`${recorder.history().length} calls`);
    assertLinearizable(checkEach(nodeSpec, unseenAlike(recorder.history()), ({ path }) => path));
  });

  test("what sessions do to a state key is linearizable", async (t) => {
    const { all, play } = await world(t, "keys");
    const recorder = new CallRecorder<KeyInput, string>(new RealTime());
    const clients = all.map((process, i) => new KeyClient(process, i, recorder));
    await Promise.all(all.map(({ connection }) => connection.untilConnected(20_000)));
    const owners = all.map(({ connection }) => connection.tree.session.id);
    await play(keyActs, (by, act) => clients[by]?.do(act, (session) => owners.indexOf(session)));
    await answered(all);
    assert.deepEqual(
      all.map(({ connection }) => connection.tree.session.id),
      owners,
      "a session ended",
    );
    t.diagnostic(`${recorder.history().length} calls`);
    assertLinearizable(checkEach(stateKeySpec, recorder.history(), () => "key"));
  });

  for (const [name, contender] of Object.entries(contenders)) {
    test(`one at a time has it, with growing numbers: ${name}`, async (t) => {
      const { all, play } = await world(t, name);
      const recorder = new HoldRecorder();
      const time = new RealTime();
      const those = all.map(contender);
      const look = (): void =>
        recorder.look(
          time,
          those.flatMap((one) => one.claims()),
        );
      await play(intents, (by, intent) => those[by]?.do(intent), look);
      // Who still waits for it gets it later, and gives it back then.
      const [first, ...others] = those;
      const leave = (some: readonly Contender[]): void => {
        for (const one of some) if (one.claims().length > 0) one.do("leave");
      };
      await calm(() => {
        look();
        leave(those);
        return those.every((one) => one.claims().length === 0);
      });
      let looks = 0;
      await calm(() => {
        look();
        leave(others);
        // What was given back a moment ago may not be free yet.
        if (looks++ % 100 === 0) first?.do("want");
        return (first?.claims().length ?? 0) > 0;
      });
      t.diagnostic(`${recorder.history.length} beginnings and ends`);
      assert.ok(recorder.history.length > 4, "nobody had anything");
      assertLinearizable(checkEach(holdSpec, recorder.history, ({ what }) => what));
    });
  }

  /** Three processes under a root of their own, and how a script is played with them. */
  async function world(
    t: TestContext,
    name: string,
  ): Promise<{ readonly all: readonly RealProcess[]; readonly play: Play }> {
    t.diagnostic(`seed ${seed}`);
    const prng = new Prng(seed);
    const store = await freshStore(ensemble.addresses, `${name}-${seed}`);
    const all = Array.from({ length: processes }, () => new RealProcess(store));
    t.after(() => Promise.all(all.map(({ connection }) => connection.close())));
    const play: Play = async (acts, run, look = () => undefined) => {
      let killing: Promise<void> | undefined;
      for (let turn = 0; turn < turns; turn++) {
        if (turn === turns / 3) killing = replaceLeader(ensemble);
        const by = prng.below(processes);
        if (prng.below(8) === 0) await all[by]?.befall(faults[prng.below(faults.length)] as RealFault);
        else run(by, acts[prng.below(acts.length)] as never);
        for (let rest = [0, 5, 20, 60][prng.below(4)] ?? 0; rest >= 0; rest -= 2) {
          await sleep(systemScheduler, Math.min(rest, 2));
          look();
        }
      }
      await killing;
    };
    return { all, play };
  }
});

type Play = <Act>(acts: readonly Act[], run: (by: number, act: Act) => void, look?: () => void) => Promise<void>;

/** Whatever was asked before has been answered, or never will be. */
async function answered(all: readonly RealProcess[]): Promise<void> {
  for (const { connection } of all) {
    const synced = await steadily(connection, (tree) => tree.sync("/"));
    assert.ok(synced.ok, "no connection");
  }
}

async function calm(holds: () => boolean): Promise<void> {
  const options = { scheduler: systemScheduler, withinMs: 40_000, everyMs: 2 };
  assert.ok(await until(options, () => (holds() ? true : undefined)), "it does not come to rest");
}

function assertLinearizable<I, O>(verdict: Verdict<I, O>): void {
  const longest = verdict.kind === "not-linearizable" ? verdict.longest.map(shown).join("\n") : "";
  assert.equal(verdict.kind, "linearizable", `seed ${seed}: ${longest}`);
}

function shown(operation: unknown): string {
  return JSON.stringify(operation, (_, part) => (typeof part === "bigint" ? `${part}n` : part));
}
