import assert from "node:assert/strict";
import { type DropReason, dropReasonOf } from "../../flow/drop-reason.ts";
import { FlowTable } from "../../flow/flow-table.ts";
import { shardOf } from "../../flow/hash.ts";
import { extractKey, formatKey } from "../../flow/key.ts";
import {
  ACTION_KIND_MASK,
  CLASS_FULL,
  GROUP_HEADER_WORDS,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  KEY_WORDS,
  SHARD_COUNT,
  UPCALL_HEADER_WORDS,
  UPCALL_KEY,
  VPORT_HINT,
  VPORT_MAX,
  VPORT_WORDS,
} from "../../flow/layout.ts";
import type { DropCount, WantedPort } from "../datapath.ts";
import { CREDIT_BYTES_DEFAULT, CREDIT_PACKETS_DEFAULT } from "../limits.ts";
import { writeRecord } from "../records.ts";
import { type ActionSpec, actionOf } from "./action.ts";
import { type Output, type Rig, WORLD } from "./rig.ts";

/** An upcall as a case expects it; what is undefined may be anything. */
export interface ExpectedUpcall {
  readonly kind: number;
  readonly vport: number;
  readonly frame: Uint8Array;
  readonly limit?: number;
  readonly decrement?: number;
  readonly tunnelKey?: number;
  /** Bytes of the frame that were captured, if not all. */
  readonly captured?: number;
}

/** A drop as a case expects it. */
export interface ExpectedDrop {
  readonly vport: number;
  readonly reason: DropReason;
  /** Default 1. */
  readonly packets?: number;
  readonly bytes?: number;
}

/** All that may happen in a step of a case; what is not named must not happen. */
export interface Expected {
  readonly out?: readonly Output[];
  readonly up?: readonly ExpectedUpcall[];
  readonly drops?: readonly ExpectedDrop[];
}

/** An upcall as it came, copied. */
export interface Upcall {
  readonly words: Uint32Array;
  readonly frame: Uint8Array;
}

/** What happened in a step. `drops` are those of the step alone. */
export interface Observed {
  readonly out: readonly Output[];
  readonly up: readonly Upcall[];
  readonly drops: readonly DropCount[];
}

/** Everything that happened, as text that is equal when the same happened: frames in full, drops with their bytes. */
export function printed({ out, up, drops }: Observed): Readonly<Record<"out" | "up" | "drops", readonly string[]>> {
  return {
    out: out.map(printedOutput).sort(byPlace),
    up: up.map(printedUpcall),
    drops: drops.map(printedDrop).sort(),
  };
}

/** How many frames left, went up or were dropped. */
export function countOf({ out, up, drops }: Observed): number {
  return out.length + up.length + packetsIn(drops);
}

/** A member of a group: where to, and what is done to the tags. */
export type GroupMember = Pick<ActionSpec, "to" | "pop" | "push">;

/** One case's view of a rig: installs flows, sends frames, and compares everything that happens with what should. */
export class Scene {
  readonly rig: Rig;
  readonly flows: FlowTable;

  constructor(rig: Rig) {
    this.rig = rig;
    this.flows = new FlowTable(rig.control.memory, VPORT_MAX);
  }

  /** Makes the world as `WORLD` says: no flows, no groups, default credits, the peers, no tunnel keys. */
  async reset(): Promise<void> {
    const { control, around } = this.rig;
    await this.rig.settle();
    this.rig.outputs();
    this.drain();
    for (let slot = 0; slot < this.flows.slots; slot++) if (this.flows.isLive(slot)) this.flows.remove(slot);
    for (const vport of WORLD.vports) this.setCredits(vport, [CREDIT_PACKETS_DEFAULT, CREDIT_BYTES_DEFAULT]);
    for (const vport of WORLD.vports) this.forgetHint(vport);
    control.memory.keepAlives.fill(0);
    assert.equal((await control.setUnderlay(around.underlay)).ok, true);
    assert.equal((await control.setPeers(around.peers)).ok, true);
    assert.equal((await control.setTunnelKeys([])).ok, true);
  }

  /** Sets the wanted ports, and waits until frames pass. Returns the state of each. */
  async setPorts(ports: readonly WantedPort[]): Promise<readonly string[]> {
    const outcomes = await this.rig.control.setPorts(ports);
    await this.rig.carried();
    assert.deepEqual(
      outcomes.map(({ vport }) => vport),
      ports.map(({ vport }) => vport),
    );
    return outcomes.map(({ state }) => state);
  }

  /** Installs a flow for frames like this one that come in by `vport`, in the shard of the frame; returns its slot. */
  install(
    vport: number,
    frame: Uint8Array,
    flow: { readonly class?: number; readonly action: ActionSpec | Uint32Array },
  ): number {
    const key = keyOf(vport, frame);
    return this.installKey(key, { ...flow, shard: shardOf(key, 0, this.rig.control.memory.control) });
  }

  /** Installs a flow of a key in a shard. */
  installKey(
    key: Uint32Array,
    flow: { readonly class?: number; readonly shard: number; readonly action: ActionSpec | Uint32Array },
  ): number {
    const { class: flowClass = CLASS_FULL, shard } = flow;
    const action = flow.action instanceof Uint32Array ? flow.action : actionOf(flow.action);
    const now = this.rig.now();
    const slot = this.flows.place(key, 0, { flowClass, shard, now });
    if (this.flows.placement === "same") this.flows.overwrite(slot, action, 0);
    else this.flows.write(slot, { key, keyOffset: 0, flowClass, action, actionOffset: 0, now });
    return slot;
  }

  /** Installs a flow in every shard, as if packets of it had come up from all. */
  installInAllShards(
    vport: number,
    frame: Uint8Array,
    flow: { readonly class: number; readonly action: ActionSpec },
  ): void {
    for (let shard = 0; shard < SHARD_COUNT; shard++) this.installKey(keyOf(vport, frame), { ...flow, shard });
  }

  /** Writes a group. */
  setGroup(group: number, members: readonly GroupMember[]): void {
    const words = members.flatMap((member) => {
      const [head = 0, index = 0, tunnelKey = 0, , , , , tcis = 0] = actionOf(member);
      return [head & (ACTION_KIND_MASK | 0xf_0000), index, tunnelKey, tcis];
    });
    writeRecord(this.rig.control.memory.groups, groupAt(group), [members.length, 0, 0, ...words]);
  }

  /** As if no frame had come in by the vport yet: no mask class goes before the others. */
  forgetHint(vport: number): void {
    this.rig.control.memory.vports[vport * VPORT_WORDS + VPORT_HINT] = 0;
  }

  /** Sets the upcall credit of a vport per shard, in packets and bytes. */
  setCredits(vport: number, credits: readonly [number, number]): void {
    this.rig.control.memory.vports.set(credits, vport * VPORT_WORDS + 5);
  }

  /** Queues a frame for execution and sends it. */
  execute(
    frame: Uint8Array,
    action: ActionSpec | Uint32Array,
    how: { readonly ingressVport?: number; readonly isChecksumPartial?: boolean } = {},
  ): boolean {
    const isQueued = this.queue(frame, action, how);
    this.rig.worker.flush();
    return isQueued;
  }

  /** Queues a frame for execution. */
  queue(
    frame: Uint8Array,
    action: ActionSpec | Uint32Array,
    {
      ingressVport = 0,
      isChecksumPartial = false,
    }: { readonly ingressVport?: number; readonly isChecksumPartial?: boolean } = {},
  ): boolean {
    const words = action instanceof Uint32Array ? action : actionOf(action);
    const whole = { bytes: frame, offset: 0, length: frame.length, ingressVport, gsoSize: 0, isChecksumPartial };
    return this.rig.worker.execute(whole, words, 0);
  }

  /** Does `act` and waits for all that it leads to, which must be what is expected and nothing else. */
  async expect(expected: Expected, act: () => void): Promise<readonly Upcall[]> {
    const observed = await this.observe(eventsIn(expected), act);
    const { up, drops } = observed;
    const expectedUp = [...(expected.up ?? [])].sort((a, b) => this.#shardOf(a) - this.#shardOf(b));
    assert.deepEqual(printed(observed), {
      out: (expected.out ?? []).map(printedOutput).sort(byPlace),
      up: expectedUp.map(printedExpectedUpcall),
      drops: (expected.drops ?? []).map((drop) => printedExpectedDrop(drop, drops)).sort(),
    });
    for (const [i, upcall] of up.entries()) this.#assertRecord(upcall, expectedUp[i] as ExpectedUpcall);
    return up;
  }

  /** Does `act` and waits until so many frames left, went up or were dropped; tells all of it. */
  async observe(wanted: number, act: () => void): Promise<Observed> {
    const before = this.rig.control.drops();
    act();
    const out: Output[] = [];
    const up: Upcall[] = [];
    const collect = (): number => {
      out.push(...this.rig.outputs());
      up.push(...this.drain());
      return out.length + up.length + packetsIn(newDrops(before, this.rig.control.drops()));
    };
    while (collect() < wanted && (await this.rig.wait()));
    await this.rig.settle();
    collect();
    // There is an order within a shard, and none between shards.
    up.sort((a, b) => (a.words[7] as number) - (b.words[7] as number));
    return { out, up, drops: newDrops(before, this.rig.control.drops()) };
  }

  /** Takes all waiting upcalls. */
  drain(): Upcall[] {
    const taken: Upcall[] = [];
    const { worker } = this.rig;
    const copy = (record: Parameters<Parameters<typeof worker.poll>[1]>[0]): void => {
      const { words, offset, bytes, frameOffset, frameLength } = record;
      taken.push({
        words: words.slice(offset, offset + UPCALL_HEADER_WORDS),
        frame: bytes.slice(frameOffset, frameOffset + frameLength),
      });
    };
    while (worker.poll(64, copy) > 0);
    return taken;
  }

  #shardOf({ vport, frame }: ExpectedUpcall): number {
    return shardOf(keyOf(vport, frame), 0, this.rig.control.memory.control);
  }

  /** What the record says of the frame beside what the case compares: lengths, tag, shard, key, offload. */
  #assertRecord({ words, frame }: Upcall, expected: ExpectedUpcall): void {
    const key = keyOf(expected.vport, expected.frame);
    assert.equal(formatKey(words, UPCALL_KEY), formatKey(key, 0));
    assert.deepEqual(words.subarray(UPCALL_KEY, UPCALL_KEY + KEY_WORDS), key);
    assert.equal(words[7], this.#shardOf(expected), "shard");
    const beside = ((words[4] as number) & (1 << 16)) === 0 ? 0 : 4;
    assert.equal((words[1] as number) + beside, expected.frame.length, "frame length");
    assert.equal((words[2] as number) + beside, frame.length, "captured length");
    assert.deepEqual([words[5], words[6]], [0, 0], "no segmentation");
    const ms = (words[8] as number) / 1e6 + (words[9] as number) * (0x1_0000_0000 / 1e6);
    assert.ok(Math.abs(((ms >>> 0) - this.rig.now()) | 0) < 60_000, `time ${ms} is near ${this.rig.now()}`);
    assert.deepEqual([words[14], words[15]], [0, 0], "reserved words");
  }
}

/** The key of a frame that comes in by a vport. */
export function keyOf(vport: number, frame: Uint8Array): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: vport }, key);
  return key;
}

/** Word at which the record of a group begins. */
export function groupAt(group: number): number {
  return group * (GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS);
}

function newDrops(before: readonly DropCount[], after: readonly DropCount[]): readonly DropCount[] {
  return after.flatMap((drop) => {
    const earlier = before.find(({ vport, reason }) => vport === drop.vport && reason === drop.reason);
    const packets = drop.packets - (earlier?.packets ?? 0);
    return packets === 0 ? [] : [{ ...drop, packets, bytes: drop.bytes - (earlier?.bytes ?? 0) }];
  });
}

function eventsIn({ out = [], up = [], drops = [] }: Expected): number {
  return out.length + up.length + drops.reduce((sum, { packets = 1 }) => sum + packets, 0);
}

function packetsIn(drops: readonly DropCount[]): number {
  return drops.reduce((sum, { packets }) => sum + packets, 0);
}

function printedOutput(output: Output): string {
  const frame = hex(output.frame);
  if (output.kind === "vport") return `vport ${output.vport}: ${frame}`;
  return `peer ${output.peer} key 0x${output.tunnelKey.toString(16)}: ${frame}`;
}

/** Order between interfaces is nobody's; within one it must be right, and the sort keeps it. */
function byPlace(a: string, b: string): number {
  const placeOf = (text: string): string => text.slice(0, text.indexOf(":"));
  return placeOf(a) < placeOf(b) ? -1 : placeOf(a) > placeOf(b) ? 1 : 0;
}

function printedUpcall({ words, frame }: Upcall): string {
  return `kind ${words[0]} vport ${words[3]} limit ${words[11]} decrement ${words[12]} key ${words[13]}: ${hex(frame)}`;
}

function printedExpectedUpcall(expected: ExpectedUpcall): string {
  const { kind, vport, frame, limit = 0, decrement = 0, tunnelKey = 0, captured = frame.length } = expected;
  return `kind ${kind} vport ${vport} limit ${limit} decrement ${decrement} key ${tunnelKey}: ${hex(frame.subarray(0, captured))}`;
}

function printedDrop({ vport, reason, packets, bytes }: DropCount): string {
  return `vport ${vport} ${dropReasonOf(reason) ?? reason}: ${packets} packets ${bytes} bytes`;
}

function printedExpectedDrop({ vport, reason, packets = 1, bytes }: ExpectedDrop, found: readonly DropCount[]): string {
  const counted = found.find((drop) => drop.vport === vport && dropReasonOf(drop.reason) === reason)?.bytes ?? 0;
  return `vport ${vport} ${reason}: ${packets} packets ${bytes ?? counted} bytes`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
