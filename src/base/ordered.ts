/** x86-64 (TSO): loads are not reordered among themselves, nor a load with a store behind it; arm64 may do both. */
const isOrderedByMachine = process.arch === "x64";

/**
 * Loads a word that another thread or the kernel writes, before everything that is loaded or stored after it. `Atomics.load` says
 * that everywhere, but it is a call out of compiled code; where the machine orders loads anyway a plain one does the same, because
 * typed arrays are read in the order of the program. It may still run ahead of a store before it: whoever stores a flag and then
 * looks needs an `Atomics.store`, which is a fence.
 */
export function loadOrdered(words: Uint32Array, at: number): number {
  return isOrderedByMachine ? (words[at] as number) : Atomics.load(words, at);
}
