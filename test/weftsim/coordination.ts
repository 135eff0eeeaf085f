import type { Prng } from "../../src/base/prng.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import type { SimCloud } from "../../src/weftsim/cloud.ts";
import { Lifetime } from "../../src/weftsim/lifetime.ts";
import { SESSION_TIMEOUT_MS } from "../../src/weftsim/limits.ts";
import { type Contender, contenders, type Intent } from "../property/contenders.ts";
import { HoldRecorder } from "../property/hold-recorder.ts";
import { checkEach } from "../property/linearizability.ts";
import { holdSpec } from "../property/sequential-specs.ts";

const INTENTS: readonly Intent[] = ["want", "want", "give", "give"];
/** Longer than any recipe waits and any session lasts. */
const COME_TO_REST_MS = 40_000;
const TAKE_MS = 15_000;

interface Program {
  readonly life: Lifetime;
  readonly kinds: ReadonlyMap<string, Contender>;
}

/**
 * A program on every host that contends for a lock, a leadership, ownership and port leases: each kind recorded by itself, from the
 * first word that somebody has it to the last, and judged by the checker of linearizability.
 */
export class ServicePrograms {
  readonly #cloud: SimCloud;
  readonly #programs = new Map<string, Program>();
  readonly #recorders = new Map(Object.keys(contenders).map((kind) => [kind, new HoldRecorder()]));
  #stamps = 0;
  #lives = 0;

  constructor(cloud: SimCloud) {
    this.#cloud = cloud;
    for (const name of cloud.hosts.keys()) this.start(name);
    cloud.observe = () => this.#look();
  }

  /** Sessions that are in use. */
  sessions(): readonly bigint[] {
    return [...this.#connections.values()].map(({ tree }) => tree.session.id);
  }

  readonly #connections = new Map<string, StoreConnection>();

  /** Starts the program of a host. */
  start(place: string): void {
    if (this.#programs.has(place) || this.#cloud.host(place).isDead) return;
    const life = new Lifetime(this.#cloud.scheduler, this.#cloud.host(place).clock);
    const connect = { timeoutMs: SESSION_TIMEOUT_MS, process: life, place };
    const connection = new StoreConnection({ scheduler: life, connect: () => this.#cloud.store.connect(connect) });
    this.#connections.set(place, connection);
    this.#lives += 1;
    const kinds = Object.entries(contenders).map(([kind, make]) => [kind, make({ connection }, this.#lives)] as const);
    this.#programs.set(place, { life, kinds: new Map(kinds) });
  }

  /** The program dies: it has nothing any more, and nobody else may have it before its session has ended. */
  kill(place: string): void {
    const program = this.#programs.get(place);
    const connection = this.#connections.get(place);
    this.#programs.delete(place);
    this.#connections.delete(place);
    program?.life.end();
    if (connection !== undefined) this.#cloud.store.abandon(connection.tree);
  }

  /** The program stands still. */
  pause(place: string): void {
    this.#programs.get(place)?.life.pause();
  }

  /** It goes on. */
  wake(place: string): void {
    this.#programs.get(place)?.life.wake();
  }

  /** Somebody wants or gives something. */
  act(prng: Prng): void {
    const awake = [...this.#programs.values()].filter(({ life }) => !life.isPaused);
    if (awake.length === 0) return;
    prng.pick([...prng.pick(awake).kinds.values()]).do(prng.pick(INTENTS));
  }

  /** After everything is healed: gives all back, and sees that whoever comes then has it. */
  async stuck(): Promise<readonly string[]> {
    const all = [...this.#programs.values()].flatMap(({ kinds }) => [...kinds]);
    for (const [, contender] of all) contender.do("leave");
    await this.#cloud.run(COME_TO_REST_MS);
    for (const [, contender] of all) contender.do("leave");
    await this.#cloud.run(COME_TO_REST_MS);
    const first = [...(this.#programs.values().next().value?.kinds ?? [])];
    for (const [, contender] of first) contender.do("want");
    await this.#cloud.run(TAKE_MS);
    const left = first.filter(([, contender]) => contender.claims().length === 0);
    for (const [, contender] of first) contender.do("leave");
    await this.#cloud.run(TAKE_MS);
    return left.map(([kind]) => `nobody can have the ${kind} any more`);
  }

  /** What is wrong with what was claimed: two at once, or a number that did not grow. */
  problems(): readonly string[] {
    return [...this.#recorders].flatMap(([kind, { history }]) => {
      const verdict = checkEach(holdSpec, history, ({ what }) => what);
      return verdict.kind === "linearizable" ? [] : [`${kind}: the claims are ${verdict.kind}`];
    });
  }

  /** How often anybody came to have anything. */
  takes(): number {
    return [...this.#recorders.values()].reduce(
      (sum, { history }) => sum + history.filter(({ input }) => input.do === "take").length,
      0,
    );
  }

  #look(): void {
    const world = { stamp: () => ++this.#stamps };
    for (const [kind, recorder] of this.#recorders) {
      const claims = [...this.#programs.values()].flatMap(({ kinds }) => kinds.get(kind)?.claims() ?? []);
      recorder.look(world, claims);
    }
  }
}
