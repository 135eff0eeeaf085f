import { randomFillSync } from "node:crypto";
import { err, ok, type Result } from "../base/result.ts";
import type { DatapathError, DatapathMemory } from "../datapath/datapath.ts";
import { CREDIT_BYTES_DEFAULT, CREDIT_PACKETS_DEFAULT } from "../datapath/limits.ts";
import {
  CONTROL_BUCKETS,
  CONTROL_EPOCH,
  CONTROL_MAGIC,
  CONTROL_OWNER,
  CONTROL_SECRETS,
  CONTROL_SLEEPING,
  CREDIT_WORDS,
  LAYOUT_VERSION,
  SHARD_COUNT,
} from "../flow/layout.ts";
import type { MapChange } from "../linux/bpf/libbpf.ts";
import { BpfMap, openPinnedMap } from "../linux/bpf/map.ts";
import { mmapRingbuf, type RingbufMappings } from "../linux/bpf/ringbuf.ts";
import type { LinuxError } from "../linux/errno.ts";
import type { Mapping } from "../linux/memory.ts";
import { datapathError } from "./errors.ts";
import { RING_RECORD_BYTES_MAX } from "./limits.ts";
import { type Loaded, loadPrograms } from "./loaded.ts";
import { memoryOf } from "./memory-words.ts";
import type { PinDirectory } from "./pins.ts";
import { pendingOf } from "./ring-reader.ts";

/** Maps that are mapped into memory, by the name of their field in `DatapathMemory`. */
const SHARED = {
  control: "control",
  buckets: "buckets",
  counters: "counters",
  vports: "vports",
  peers: "peers",
  peerSeen: "peer_seen",
  keepAlives: "keepalives",
  groups: "groups",
  credits: "credits",
  exec: "exec",
} as const satisfies Record<keyof DatapathMemory, string>;

/** Maps that are read and written by system calls. */
const TABLES = ["peer_addresses", "tunnel_keys", "interfaces", "drops"] as const;

/** Name of a map that is no memory. */
export type TableName = (typeof TABLES)[number];

/** Sizes of what is made anew. Pinned maps of other sizes are not taken over. */
export interface MemorySizes {
  readonly bucketsPerShard: number;
  readonly ringBytes: number;
}

/** The programs and maps of one host, loaded and mapped. */
export interface KernelMemory {
  readonly object: Loaded;
  readonly memory: DatapathMemory;
  readonly mappings: Readonly<Record<keyof DatapathMemory, Mapping>>;
  readonly tables: Readonly<Record<TableName, BpfMap>>;
  readonly rings: readonly { readonly map: BpfMap; readonly mappings: RingbufMappings }[];
  /** True when the flows of an earlier process were found and kept. */
  readonly isReopened: boolean;
  close(): void;
}

/**
 * Loads the object file and maps its memory. Pinned maps are taken over when they have this layout version and these sizes: their
 * flows go on forwarding meanwhile. Else they are unpinned (programs that are still attached keep their own) and new ones pinned.
 */
export function openKernelMemory(
  path: string,
  pins: PinDirectory,
  sizes: MemorySizes,
): Result<KernelMemory, DatapathError> {
  const isReopened = isUsable(pins, sizes);
  if (!isReopened) pins.clear();
  const loaded = loadPrograms(path, pins, { maps: mapChanges(pins, sizes), mayReuse: isReopened });
  if (!loaded.ok) return err(datapathError("program-refused", loaded.error));
  const mapped = mapAll(loaded.value);
  if (!mapped.ok) {
    loaded.value.close();
    return err(datapathError("limit", mapped.error));
  }
  const memory = { ...mapped.value, isReopened };
  if (isReopened) settleCredits(memory);
  else initialize(memory.memory, sizes);
  takeOwnership(memory.memory.control);
  return ok(memory);
}

/** Name of a shard's ring. */
function ringName(shard: number): string {
  return `ring_${shard}`;
}

function mapChanges(pins: PinDirectory, sizes: MemorySizes): Record<string, MapChange> {
  const changes: Record<string, MapChange> = {};
  for (const name of [...Object.values(SHARED), ...TABLES, "rings", "programs"])
    changes[name] = { pinPath: pins.of(name) };
  const buckets = sizes.bucketsPerShard * SHARD_COUNT;
  for (const name of ["buckets", "counters"]) changes[name] = { pinPath: pins.of(name), maxEntries: buckets };
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    const name = ringName(shard);
    changes[name] = { pinPath: pins.of(name), maxEntries: sizes.ringBytes };
  }
  return changes;
}

/** Whether the pins are of this layout and these sizes. */
function isUsable(pins: PinDirectory, sizes: MemorySizes): boolean {
  const names = [
    ...Object.values(SHARED),
    ...TABLES,
    "rings",
    "programs",
    ...Array.from({ length: SHARD_COUNT }, (_, i) => ringName(i)),
  ];
  if (!names.every((name) => pins.has(name))) return false;
  const ring = openPinnedMap(pins.of(ringName(0)));
  if (!ring.ok) return false;
  const { maxEntries } = ring.value.shape;
  ring.value.close();
  const control = openPinnedMap(pins.of("control"));
  if (!control.ok) return false;
  const bytes = new Uint8Array(control.value.shape.valueBytes);
  const isRead = control.value.lookup(new Uint8Array(4), bytes);
  control.value.close();
  const words = new Uint32Array(bytes.buffer);
  const isSame =
    words[0] === CONTROL_MAGIC && words[1] === LAYOUT_VERSION && words[CONTROL_BUCKETS] === sizes.bucketsPerShard;
  return isRead && isSame && maxEntries === sizes.ringBytes;
}

type Mapped = Omit<KernelMemory, "isReopened">;

function mapAll(object: Loaded): Result<Mapped, LinuxError> {
  const undo: (() => void)[] = [];
  const fail = (error: LinuxError): Result<Mapped, LinuxError> => {
    for (const step of undo.reverse()) step();
    return err(error);
  };
  const mappings: Partial<Record<keyof DatapathMemory, Mapping>> = {};
  for (const [field, name] of Object.entries(SHARED)) {
    const map = mapOf(object, name);
    if (!map.ok) return fail(map.error);
    const mapping = map.value.mmap();
    if (!mapping.ok) return fail(mapping.error);
    undo.push(() => mapping.value.unmap());
    mappings[field as keyof DatapathMemory] = mapping.value;
  }
  const rings: { map: BpfMap; mappings: RingbufMappings }[] = [];
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    const map = mapOf(object, ringName(shard));
    if (!map.ok) return fail(map.error);
    const ring = mmapRingbuf(map.value, RING_RECORD_BYTES_MAX);
    if (!ring.ok) return fail(ring.error);
    undo.push(() => unmapRing(ring.value));
    rings.push({ map: map.value, mappings: ring.value });
  }
  const tables: Partial<Record<TableName, BpfMap>> = {};
  for (const name of TABLES) {
    const map = mapOf(object, name);
    if (!map.ok) return fail(map.error);
    tables[name] = map.value;
  }
  const all = mappings as Record<keyof DatapathMemory, Mapping>;
  const close = (): void => {
    for (const step of undo.reverse()) step();
    object.close();
  };
  return ok({
    object,
    memory: memoryOf(all),
    mappings: all,
    rings,
    tables: tables as Record<TableName, BpfMap>,
    close,
  });
}

/** The map of a name, on the object's own descriptor: it is closed with the object. */
function mapOf(object: Loaded, name: string): Result<BpfMap, LinuxError> {
  return BpfMap.adopt(object.mapFd(name) ?? -1);
}

function unmapRing(ring: RingbufMappings): void {
  ring.consumer.unmap();
  ring.producerAndData.unmap();
}

function initialize({ control, vports }: DatapathMemory, sizes: MemorySizes): void {
  // Traced frames of groups go up under vport 0.
  vports.set([CREDIT_PACKETS_DEFAULT, CREDIT_BYTES_DEFAULT], 5);
  const secrets = new Uint32Array(4);
  randomFillSync(secrets);
  control.set(
    [
      secrets[0] as number,
      secrets[1] as number,
      ((secrets[2] as number) | 1) >>> 0,
      ((secrets[3] as number) | 1) >>> 0,
    ],
    CONTROL_SECRETS,
  );
  control[CONTROL_BUCKETS] = sizes.bucketsPerShard;
  control[3] = SHARD_COUNT;
  control[1] = LAYOUT_VERSION;
  // Last: whoever finds the magic finds all of it.
  Atomics.store(control, 0, CONTROL_MAGIC);
}

function takeOwnership(control: Uint32Array): void {
  for (let shard = 0; shard < SHARD_COUNT; shard++) Atomics.store(control, CONTROL_SLEEPING + shard, 0);
  control[CONTROL_EPOCH] = ((control[CONTROL_EPOCH] as number) + 1) >>> 0;
  control[CONTROL_OWNER] = process.pid;
}

/**
 * A worker that was killed may have taken records without returning their credits. What is issued and not waiting in a ring counts
 * as done; records made meanwhile may be counted twice, which only gives a few credits too many.
 */
function settleCredits({ memory, rings }: Mapped): void {
  const pending = rings.map(({ mappings }) => pendingOf(mappings));
  const { credits } = memory;
  for (let i = 0; i < credits.length / CREDIT_WORDS; i++) {
    const waiting = pending[i % SHARD_COUNT]?.get(Math.floor(i / SHARD_COUNT)) ?? { packets: 0, bytes: 0 };
    const at = i * CREDIT_WORDS;
    credits[at + 2] = (credits[at] as number) - waiting.packets;
    credits[at + 3] = (credits[at + 1] as number) - waiting.bytes;
  }
}
