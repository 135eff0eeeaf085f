import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Fault, FaultyWorld } from "../../src/store/compliance/faulty-world.ts";
import { CallRecorder } from "./call-recorder.ts";
import { contenders, type Intent } from "./contenders.ts";
import { HoldRecorder } from "./hold-recorder.ts";
import { checkEach, checkLinearizable, type Operation, type Verdict } from "./linearizability.ts";
import {
  type HoldInput,
  holdSpec,
  type KeyInput,
  type NodeInput,
  nodeSpec,
  stateKeySpec,
  unseenAlike,
} from "./sequential-specs.ts";
import { KeyClient, NodeClient } from "./store-clients.ts";

const processes = 3;
/** Chosen so that the whole file takes a few seconds. */
const runs = { numRuns: Number(process.env["WEFT_RUNS"] ?? 50) };

/** Faults that a session outlives when they end in time, and all that a process must not notice too late. */
const brief: readonly Fault[] = ["disconnect", "applied", "lost"];
const lasting: readonly Fault[] = [...brief, "isolate", "rejoin", "pause", "wake", "rejoin", "wake"];

const intents: readonly Intent[] = ["want", "want", "give", "give"];

interface Turn<I> {
  readonly by: number;
  readonly act: I;
  readonly pause: number;
}

function script<I>(acts: readonly I[], faults: readonly Fault[]): fc.Arbitrary<readonly Turn<I | Fault>[]> {
  const turn = fc.record({
    by: fc.nat({ max: processes - 1 }),
    act: fc.oneof(fc.constantFrom(...acts), fc.constantFrom(...faults)),
    pause: fc.constantFrom(0, 0, 10, 60, 400, 3_000),
  });
  return fc.array(turn, { minLength: 10, maxLength: 40, size: "max" });
}

/** Plays a script: what is no fault is done by whose turn it is. */
async function play<I extends string>(
  world: FaultyWorld,
  turns: readonly Turn<I | Fault>[],
  run: (by: number, act: I) => void,
): Promise<void> {
  for (const { by, act, pause } of turns) {
    if (isFault(act)) world.processes[by]?.befall(act);
    else run(by, act);
    await world.pass(pause);
  }
}

function isFault(act: string): act is Fault {
  return (lasting as readonly string[]).includes(act);
}

function assertLinearizable<I, O>(verdict: Verdict<I, O>): void {
  assert.equal(
    verdict.kind,
    "linearizable",
    `${verdict.kind}\n${verdict.kind === "not-linearizable" ? shown(verdict) : ""}`,
  );
}

function shown({ longest }: Extract<Verdict<unknown, unknown>, { readonly kind: "not-linearizable" }>): string {
  const lines = longest.map((operation) =>
    JSON.stringify(operation, (_, part) => (typeof part === "bigint" ? `${part}n` : part)),
  );
  return `explained so far:\n${lines.join("\n")}`;
}

describe("histories of the store under faults", () => {
  const nodeActs = ["create", "set", "set-version", "remove", "get", "get"] as const;

  test("what sessions do to nodes of the tree is linearizable, and what is unknown may have happened", async () => {
    let unknown = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), script(nodeActs, lasting), async (seed, turns) => {
        const world = new FaultyWorld(seed, processes);
        const recorder = new CallRecorder<NodeInput, string>(world);
        const clients = world.processes.map((process, i) => new NodeClient(process, i, recorder));
        await play(world, turns, (by, what) => clients[by]?.do(what));
        await world.settle(20_000);
        unknown += recorder.history().filter(({ output }) => output === undefined).length;
        assertLinearizable(checkEach(nodeSpec, unseenAlike(recorder.history()), ({ path }) => path));
        world.stop();
      }),
      runs,
    );
    assert.ok(unknown > 0, "no outcome was unknown: the faults hit nothing");
  });

  const keyActs: readonly KeyInput["do"][] = ["first", "last", "clear", "get", "get"];

  test("what sessions that live do to a state key is linearizable", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), script(keyActs, brief), async (seed, turns) => {
        const world = new FaultyWorld(seed, processes);
        const recorder = new CallRecorder<KeyInput, string>(world);
        const clients = world.processes.map((process, i) => new KeyClient(process, i, recorder));
        const ownerOf = (session: bigint): number =>
          world.processes.findIndex(({ connection }) => connection.tree.session.id === session);
        await world.pass(500);
        await play(world, turns, (by, what) => clients[by]?.do(what, ownerOf));
        await world.settle(20_000);
        assertLinearizable(checkLinearizable(stateKeySpec, recorder.history()));
        world.stop();
      }),
      runs,
    );
  });

  for (const [name, contender] of Object.entries(contenders)) {
    test(`one at a time has it, with growing numbers, whatever stops or is cut off: ${name}`, async () => {
      let takes = 0;
      await fc.assert(
        fc.asyncProperty(fc.integer(), script(intents, lasting), async (seed, turns) => {
          const world = new FaultyWorld(seed, processes);
          const recorder = new HoldRecorder();
          const all = world.processes.map(contender);
          world.observe = () =>
            recorder.look(
              world,
              all.flatMap((one) => one.claims()),
            );
          await play(world, turns, (by, what) => all[by]?.do(what));
          await world.settle(40_000);
          for (const one of all) one.do("leave");
          await world.pass(40_000);
          takes += recorder.history.filter(({ input }) => input.do === "take").length;
          assertLinearizable(checkEach(holdSpec, recorder.history, ({ what }) => what));
          // Nothing is stuck: whoever comes now has it.
          all[0]?.do("want");
          await world.pass(10_000);
          assert.ok((all[0]?.claims().length ?? 0) > 0, "nobody can have it any more");
          world.stop();
        }),
        runs,
      );
      assert.ok(takes > runs.numRuns, `only ${takes} times did anybody have anything`);
    });

    test(`also when sessions are ended by force nobody gets a number that is not the highest: ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer(), script(intents, [...lasting, "expire", "expire"]), async (seed, turns) => {
          const world = new FaultyWorld(seed, processes);
          const recorder = new HoldRecorder();
          const all = world.processes.map(contender);
          world.observe = () =>
            recorder.look(
              world,
              all.flatMap((one) => one.claims()),
            );
          await play(world, turns, (by, what) => all[by]?.do(what));
          await world.settle(40_000);
          const takes = recorder.history.filter(({ input }) => input.do === "take");
          for (const ofOne of Map.groupBy(takes, ({ input }) => input.what).values()) assertGrowing(ofOne);
          world.stop();
        }),
        runs,
      );
    });
  }
});

/** Two may believe to have it for a moment. Their numbers differ, and the newer belief has the higher one. */
function assertGrowing(takes: readonly Operation<HoldInput, bigint>[]): void {
  for (const [i, { client, output }] of takes.entries()) {
    const isLower = takes.slice(0, i).find((one) => (one.output ?? 0n) >= (output ?? 0n) && one.client !== client);
    assert.equal(isLower, undefined);
  }
}
