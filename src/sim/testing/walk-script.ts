import { formatIp } from "../../addr/ip.ts";
import { formatMac } from "../../addr/mac.ts";
import { Prng } from "../../base/prng.ts";
import { extractKey } from "../../flow/key.ts";
import { CLASS_WORDS, KEY_WORDS } from "../../flow/layout.ts";
import type { FlowTag } from "../../flow/tag.ts";
import { FDB_DEFAULTS, FdbLearner } from "../../state/fdb.ts";
import { type NeighborEffect, NeighborResolver } from "../../state/neighbor-resolver.ts";
import { NEIGHBOR_DEFAULTS } from "../../state/neighbor-settings.ts";
import { formatFrame } from "../../wire/frame.ts";
import { formatResult } from "../format-result.ts";
import { frameTtl } from "../frame-ttl.ts";
import type { SimResult } from "../result.ts";
import type { SimInput } from "../sim-input.ts";
import { Simulator } from "../simulator.ts";
import { TraceText } from "../trace.ts";
import { World } from "../world.ts";
import { frameOf } from "./script-frame.ts";
import { ipOf, ScriptLine } from "./script-text.ts";
import { ScriptTopology } from "./script-topology.ts";

/** Unix time at which every script starts. */
const WALL_START = 1_000_000_000;

/**
 * Runs walk scripts: topology commands (`ScriptTopology`) and
 *
 *     packet PORT FRAME      walk a frame and print its trace; then the walks of frames that the network sends for it
 *     check PORT FRAME       re-simulate the flow of such a frame: its key under the mask of its own walk
 *     ttl PORT FRAME         the frame's TTL is used up on the way
 *     toobig LIMIT PORT FRAME
 *     unresolved ROUTER IP   for the next packet
 *     wait MS                time passes
 *     process                what the neighbor resolver and the FDB learner want done
 *     changes                apply what has been declared and print what the changes invalidate
 *     quiet / loud           leave the steps out of what is printed, or not
 *
 * One script is one world. The output is text, to be compared.
 */
export class WalkScript {
  readonly #topology = new ScriptTopology();
  readonly #neighbors = new NeighborResolver({ ...NEIGHBOR_DEFAULTS, staleJitter: 0 }, new Prng(1));
  readonly #fdb = new FdbLearner(FDB_DEFAULTS);
  readonly #world = new World({ neighbors: this.#neighbors, fdb: this.#fdb });
  readonly #simulator = new Simulator(this.#world);
  readonly #tagNames = new Map<FlowTag, string>();
  #unresolved: SimInput["unresolved"];
  #now = 0;
  #isQuiet = false;
  #out: string[] = [];

  constructor() {
    this.#neighbors.setWallOffset(WALL_START);
  }

  /** Runs the lines of one block and returns what they print. */
  run(lines: readonly string[]): readonly string[] {
    this.#out = [];
    for (const text of lines) {
      const bare = text.replace(/(^|\s)#.*$/, "");
      if (bare.trim() !== "") this.#line(new ScriptLine(bare));
    }
    return this.#out;
  }

  #line(line: ScriptLine): void {
    const command = line.next("command");
    if (!this.#topology.run(command, line, WALL_START + this.#now)) this.#command(command, line);
    line.end();
  }

  #command(command: string, line: ScriptLine): void {
    switch (command) {
      case "quiet":
      case "loud":
        this.#isQuiet = command === "quiet";
        return;
      case "wait":
        this.#now += Number(line.next("milliseconds"));
        return;
      case "unresolved":
        this.#unresolved = { table: this.#world.handleOf(line.next("router")), ip: ipOf(line.next("address")) };
        return;
      case "process":
        this.#apply();
        for (const effect of this.#neighbors.process(this.#now)) this.#effect(effect);
        for (const { kind, binding } of this.#fdb.process(this.#now)) {
          const vlan = binding.vlan === 0 ? "" : ` vlan ${binding.vlan}`;
          const names = `${this.#world.idOf(binding.bridge)}${vlan} ${formatMac(binding.mac)}`;
          this.#out.push(`${kind} fdb ${names} ${this.#world.idOf(binding.port)}`);
        }
        return;
      case "changes":
        this.#out.push(...this.#apply());
        return;
      default:
        this.#apply();
        this.#walk(command, line);
    }
  }

  #apply(): readonly string[] {
    const names = new Set<string>();
    let others = 0;
    for (const change of this.#topology.takeChanges()) {
      for (const tag of this.#world.apply(change)) {
        const name = this.#tagNames.get(tag);
        if (name === undefined) others++;
        else names.add(name);
      }
    }
    return [`invalidates ${[...names].join(", ") || "nothing"}${others === 0 ? "" : ` (and ${others} unread)`}`];
  }

  #walk(command: string, line: ScriptLine): void {
    const limit = command === "toobig" ? Number(line.next("limit")) : 0;
    const port = this.#world.handleOf(line.next("port"));
    const gsoSize = line.number("gso") ?? 0;
    const bytes = frameOf(line);
    const key = new Uint32Array(KEY_WORDS);
    extractKey(bytes, { vportIndex: 0 }, key);
    const frame = { bytes, offset: 0, length: bytes.length, gsoSize };
    const input: SimInput = { mode: "live", key, keyOffset: 0, ingress: port, frame, unresolved: this.#unresolved };
    this.#unresolved = undefined;
    const run = (trace: TraceText): SimResult => {
      switch (command) {
        case "packet":
          return this.#simulator.simulate(input, this.#now);
        case "ttl":
          return this.#simulator.ttlExpired(input, frameTtl(frame), this.#now);
        case "toobig":
          return this.#simulator.tooBig(input, limit, this.#now);
        case "check":
          return this.#check(input, trace);
        default:
          throw new Error(`${line.text}: unknown command`);
      }
    };
    this.#out.push(`${command} ${formatFrame(bytes)}`);
    this.#traced(run, { depth: 0, ttl: command === "packet" ? frameTtl(frame) : 255 });
    this.#out.push("");
  }

  /** The masked key alone, as the worker has it of an installed flow. */
  #check(input: SimInput, trace: TraceText): SimResult {
    this.#simulator.trace(undefined);
    const { level } = this.#simulator.simulate({ ...input, mode: "trace" }, this.#now).facts;
    this.#simulator.trace(trace);
    const key = input.key.slice();
    key.fill(0, CLASS_WORDS[level]);
    return this.#simulator.simulate({ ...input, mode: "check", key, frame: undefined }, this.#now);
  }

  #traced(
    run: (trace: TraceText) => SimResult,
    { depth, ttl }: { readonly depth: number; readonly ttl: number },
  ): void {
    const trace = new TraceText();
    this.#simulator.trace(trace);
    const result = run(trace);
    this.#simulator.trace(undefined);
    for (const [tag, name] of trace.dependencies) this.#tagNames.set(tag, name);
    const indent = "  ".repeat(depth);
    if (!this.#isQuiet) for (const line of trace.lines) this.#out.push(`${indent}  ${line}`);
    for (const line of formatResult(result, this.#world, ttl)) this.#out.push(`${indent}= ${line}`);
    if (!this.#isQuiet && (result.kind === "forward" || result.kind === "drop") && !result.isTransient) {
      this.#out.push(`${indent}=   depends on ${[...trace.dependencies.values()].join(", ")}`);
    }
    const { tags, frames } = result.facts;
    for (let i = 0; i < tags.referenceCount; i++) this.#fdb.use(tags.references[i] ?? 0, this.#now);
    for (const { port, bytes } of [...frames]) {
      this.#traced(() => this.#simulator.emit(port, bytes, this.#now), { depth: depth + 1, ttl: 255 });
    }
  }

  #effect(effect: NeighborEffect): void {
    if (effect.kind === "invalidate") {
      this.#out.push(`invalidates ${this.#tagNames.get(effect.tag) ?? "what nobody read"}`);
      return;
    }
    const name = `${this.#world.idOf(effect.table)} ${formatIp(effect.ip)}`;
    if (effect.kind === "write") {
      const { mac, staleAt, expiresAt } = effect.entry;
      const times = `stale in ${staleAt - WALL_START - this.#now} ms, expires in ${expiresAt - WALL_START - this.#now} ms`;
      this.#out.push(`write neighbor ${name} ${formatMac(mac)} ${times}`);
      return;
    }
    if (effect.kind !== "request") {
      this.#out.push(`${effect.kind} neighbor ${name}`);
      return;
    }
    const bytes = this.#simulator.neighborRequest(effect.port, effect.ip);
    if (bytes === undefined) return;
    this.#out.push(`request neighbor ${name}: ${formatFrame(bytes)}`);
    this.#traced(() => this.#simulator.emit(effect.port, bytes, this.#now), { depth: 1, ttl: 255 });
  }
}
