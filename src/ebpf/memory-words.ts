import type { DatapathMemory } from "../datapath/datapath.ts";

/** The words behind mappings, or behind their handles in another thread. */
export function memoryOf(
  all: Readonly<Record<keyof DatapathMemory, { readonly buffer: ArrayBuffer }>>,
): DatapathMemory {
  const words = (field: keyof DatapathMemory): Uint32Array => new Uint32Array(all[field].buffer);
  return {
    control: words("control"),
    buckets: words("buckets"),
    counters: words("counters"),
    vports: words("vports"),
    peers: words("peers"),
    peerSeen: words("peerSeen"),
    keepAlives: words("keepAlives"),
    groups: words("groups"),
    credits: words("credits"),
    exec: words("exec"),
  };
}
