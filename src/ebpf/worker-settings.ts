import type { DatapathMemory, WorkerSettings } from "../datapath/datapath.ts";
import { CONTROL_INJECT, SHARD_COUNT } from "../flow/layout.ts";
import { type MappingHandle, viewMapping } from "../linux/memory.ts";
import type { KernelMemory } from "./kernel-memory.ts";
import { memoryOf } from "./memory-words.ts";
import type { RingBuffers } from "./ring-reader.ts";

const FIELDS = [
  ...(["control", "buckets", "counters", "vports", "peers", "peerSeen", "keepAlives", "groups", "credits"] as const),
  "exec",
] as const;

/** What a worker thread sees: the same memory, and its rings with the descriptors to wait on. */
export interface WorkerMemory {
  readonly memory: DatapathMemory;
  readonly rings: readonly (RingBuffers & { readonly fd: number })[];
  readonly injectIfindex: number;
  /** Descriptors, by worker, that control makes readable to end a wait. */
  readonly kickFds: readonly number[];
}

/**
 * The driver's settings as plain values: addresses of mappings and descriptors of this process. The control face must stay open for
 * as long as a worker uses them. `kickFds`: what control ends waits by, see `Kicks`.
 */
export function settingsOf(kernel: KernelMemory, kickFds: readonly number[]): WorkerSettings {
  const handles = FIELDS.map((field) => kernel.mappings[field].handle);
  const consumers = kernel.rings.map(({ mappings }) => mappings.consumer.handle);
  const producers = kernel.rings.map(({ mappings }) => mappings.producerAndData.handle);
  return {
    driver: "ebpf",
    addresses: handles.map((h) => h.address),
    lengths: handles.map((h) => h.length),
    consumers: consumers.map((h) => h.address),
    producers: producers.map((h) => h.address),
    producerBytes: producers[0]?.length ?? 0,
    consumerBytes: consumers[0]?.length ?? 0,
    dataBytes: kernel.rings[0]?.mappings.dataBytes ?? 0,
    dataOffset: kernel.rings[0]?.mappings.dataOffset ?? 0,
    ringFds: kernel.rings.map(({ map }) => map.fd),
    kickFds,
  };
}

/** The memory that settings describe, viewed from any thread of the process. */
export function openWorkerMemory(settings: WorkerSettings): WorkerMemory {
  const list = (name: string): readonly (number | bigint)[] => settings[name] as readonly (number | bigint)[];
  const number = (name: string): number => settings[name] as number;
  const view = (handle: MappingHandle): { readonly buffer: ArrayBuffer } => ({ buffer: viewMapping(handle) });
  const at = (name: string, i: number): bigint => list(name)[i] as bigint;
  const views = FIELDS.map((_, i) => view({ address: at("addresses", i), length: list("lengths")[i] as number }));
  const all = Object.fromEntries(FIELDS.map((field, i) => [field, views[i]])) as Record<
    keyof DatapathMemory,
    { buffer: ArrayBuffer }
  >;
  const memory = memoryOf(all);
  const rings = Array.from({ length: SHARD_COUNT }, (_, shard) => ({
    consumer: view({ address: at("consumers", shard), length: number("consumerBytes") }),
    producerAndData: view({ address: at("producers", shard), length: number("producerBytes") }),
    dataBytes: number("dataBytes"),
    dataOffset: number("dataOffset"),
    fd: list("ringFds")[shard] as number,
  }));
  return {
    memory,
    rings,
    injectIfindex: memory.control[CONTROL_INJECT] as number,
    kickFds: list("kickFds") as readonly number[],
  };
}
