import { Groups } from "../../../src/agent/core/groups.ts";
import { Translator } from "../../../src/agent/core/translate.ts";
import { Prng } from "../../../src/base/prng.ts";
import { FlowTable } from "../../../src/flow/flow-table.ts";
import { formatAction } from "../../../src/flow/format-action.ts";
import { formatKey } from "../../../src/flow/key.ts";
import {
  ACTION_GROUP,
  ACTION_KIND_MASK,
  ACTION_WORDS,
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_NAMES,
  GROUP_HEADER_WORDS,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  KEY_WORDS,
  SLOT_ACTION,
  VPORT_MAX,
} from "../../../src/flow/layout.ts";
import type { SimResult } from "../../../src/sim/result.ts";
import { Simulator } from "../../../src/sim/simulator.ts";
import { World } from "../../../src/sim/world.ts";
import { FDB_DEFAULTS, FdbLearner } from "../../../src/state/fdb.ts";
import { NeighborResolver } from "../../../src/state/neighbor-resolver.ts";
import { NEIGHBOR_DEFAULTS } from "../../../src/state/neighbor-settings.ts";
import type { SimCloud } from "../../../src/weftsim/cloud.ts";
import type { SimHost } from "../../../src/weftsim/host.ts";

const GROUP_WORDS = GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS;
const KEY_WITHOUT_CLASS = 0x0fff_ffff;

/**
 * Every installed flow of every host says what a simulation says that starts from nothing: a new world made of what control
 * knows, a new simulator. A flow that differs was not told of something that it depends on: a tag is missing or dead.
 */
export function checkFlows(cloud: SimCloud): FlowCheck {
  return checkHosts([...cloud.hosts.values()].filter(({ isDead }) => !isDead));
}

/** The same at any moment, for the hosts whose workers have acknowledged the newest world: none has a flow of an older one. */
export function checkQuietHosts(cloud: SimCloud): FlowCheck {
  return checkHosts([...cloud.hosts.values()].filter(({ agent }) => agent?.isRunning === true && agent.isQuiet));
}

function checkHosts(hosts: readonly SimHost[]): FlowCheck {
  const problems: string[] = [];
  let checked = 0;
  for (const host of hosts) {
    const fresh = new FreshWorker(host, host.clock.now());
    for (const flow of liveFlows(host)) {
      checked++;
      const problem = fresh.compare(flow);
      if (problem === undefined) continue;
      problems.push(`${host.spec.name} ${formatKey(flow.key, 0)} class ${CLASS_NAMES[flow.flowClass]}: ${problem}`);
    }
  }
  return { checked, problems };
}

/** What the comparison found. */
export interface FlowCheck {
  readonly checked: number;
  readonly problems: readonly string[];
}

interface LiveFlow {
  readonly key: Uint32Array;
  readonly flowClass: number;
  readonly action: string;
}

function liveFlows(host: SimHost): readonly LiveFlow[] {
  const { memory } = host.datapath;
  const table = new FlowTable(memory, VPORT_MAX);
  const flows: LiveFlow[] = [];
  for (let slot = 0; slot < table.slots; slot++) {
    if (!table.isLive(slot) || isRevoked(memory.buckets, slot)) continue;
    const at = table.keyAt(slot);
    const key = table.words.slice(at, at + KEY_WORDS);
    key[0] = (key[0] as number) & KEY_WITHOUT_CLASS;
    const action = table.words.slice(at + SLOT_ACTION, at + SLOT_ACTION + ACTION_WORDS);
    flows.push({ key, flowClass: table.classAt(slot), action: actionText(action, memory.groups) });
  }
  return flows;
}

/** A revoked flow is known and forwards nothing: packets miss it. */
function isRevoked(buckets: Uint32Array, slot: number): boolean {
  const way = slot % BUCKET_WAYS;
  const generation = buckets[((slot - way) / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_GENERATION + way] as number;
  return generation % 2 === 1;
}

/** A worker that has just been told everything. */
class FreshWorker {
  readonly #simulator: Simulator;
  readonly #translator: Translator;
  readonly #groups = new Uint32Array(GROUP_WORDS * 256);
  readonly #now: number;

  constructor(host: SimHost, now: number) {
    const neighbors = new NeighborResolver(NEIGHBOR_DEFAULTS, new Prng(1));
    neighbors.setWallOffset(host.clock.wall() - host.clock.now());
    const world = new World({ neighbors, fdb: new FdbLearner(FDB_DEFAULTS) });
    this.#now = now;
    this.#simulator = new Simulator(world);
    const groups = new Groups(this.#groups, { worker: 0, workers: 1 });
    groups.setNow(now);
    this.#translator = new Translator(world, groups, () => undefined);
    for (const message of host.running.world()) {
      if (message.kind === "world") world.apply(message.change);
      if (message.kind === "peer" && message.mtu > 0) this.#translator.setPeer(message.hostId, message);
      if (message.kind === "flood-key") this.#translator.setFloodKey(message);
    }
    neighbors.process(now);
  }

  /** What is wrong with a flow, or undefined. */
  compare(flow: LiveFlow): string | undefined {
    const input = {
      mode: "check",
      key: flow.key,
      keyOffset: 0,
      ingress: 0,
      frame: undefined,
      unresolved: undefined,
    } as const;
    const result = this.#simulator.simulate(input, this.#now);
    if (result.facts.level > flow.flowClass) return `reads more than its class: ${CLASS_NAMES[result.facts.level]}`;
    // What the world names and does not have yet is on its way: until then everything stays as it is.
    if (result.kind === "wait" && result.on.kind === "topology") return undefined;
    const expected = this.#expected(result);
    return expected === flow.action ? undefined : `does ${flow.action}, should do ${expected}`;
  }

  #expected(result: SimResult): string {
    if (result.kind === "drop") this.#translator.drop(result.reason, result.facts.routers);
    else if (result.kind === "forward") this.#translator.forward(result);
    else return result.kind === "wait" ? `wait for ${JSON.stringify(result.on)}` : result.kind;
    return actionText(this.#translator.action, this.#groups);
  }
}

/** An action with its group written out, so that equal floods are equal whatever number their group has. */
function actionText(action: Uint32Array, groups: Uint32Array): string {
  const text = formatAction(action, 0);
  if (((action[0] as number) & ACTION_KIND_MASK) !== ACTION_GROUP) return text;
  const group = action[1] as number;
  const at = group * GROUP_WORDS;
  const outputs = Array.from({ length: groups[at + 1] as number }, (_, i) => {
    const from = at + GROUP_HEADER_WORDS + i * GROUP_OUTPUT_WORDS;
    return [...groups.subarray(from, from + GROUP_OUTPUT_WORDS)].map((word) => word.toString(16)).join("/");
  });
  return text.replace(`group(${group})`, `group(${outputs.sort().join(" ")})`);
}
