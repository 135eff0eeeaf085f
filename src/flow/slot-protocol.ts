/**
 * THE PROTOCOL OF A SLOT: how one writer changes a flow with plain stores while programs on other CPUs read it.
 *
 * A generation word says what may be done with a slot: 0 empty, odd being written or revoked, even valid. The writer makes it odd,
 * stores the content, and makes it the next even number; a reader loads it, compares the key, copies the action, loads it again, and
 * takes the copy only when both loads gave the same even number. It never waits and never executes from the shared memory itself.
 *
 * This file has the arithmetic of generations, which all writers share, and the protocol as a model: the stores of each operation, one
 * by one, and the steps of a reader, one load each. The test runs every interleaving of a writer and two readers. Stores become
 * visible in the order of the model because a single writer on x86-64 (TSO) has its stores seen in program order, and loads are not
 * reordered among themselves; on machines with weaker order the opening store would not hold back those behind it.
 */

/** The generation under which a slot is written: readers miss from here on. A slot that is odd already keeps its number. */
export function openedGeneration(generation: number): number {
  return (generation | 1) >>> 0;
}

/** The generation under which the slot is valid again: another than any that a reader may have begun with; never 0. */
export function closedGeneration(opened: number): number {
  return (opened + 1) >>> 0 || 2;
}

/** Whether a slot with this generation may be taken. */
export function isValidGeneration(generation: number): boolean {
  return generation !== 0 && (generation & 1) === 0;
}

/** The words of a slot, as far as the protocol goes: two each stand for all of the key's and the action's. */
export interface SlotWords {
  readonly generation: number;
  readonly tag: number;
  readonly key0: number;
  readonly key1: number;
  readonly action0: number;
  readonly action1: number;
}

/** A slot that was never written. */
export const EMPTY_SLOT: SlotWords = { generation: 0, tag: 0, key0: 0, key1: 0, action0: 0, action1: 0 };

/** What a writer does with a slot; the methods of `FlowTable` have these names. Keys and actions are numbers above 0. */
export type SlotOperation =
  | { readonly kind: "write"; readonly key: number; readonly action: number }
  | { readonly kind: "overwrite"; readonly action: number }
  | { readonly kind: "revoke" }
  | { readonly kind: "remove" };

/** One store of a writer. */
export interface SlotStore {
  readonly word: keyof SlotWords;
  readonly value: number;
}

/** The stores of an operation on a slot, in order. */
export function storesOf(operation: SlotOperation, slot: SlotWords): readonly SlotStore[] {
  const opened = openedGeneration(slot.generation);
  const open = { word: "generation", value: opened } as const;
  const close = { word: "generation", value: closedGeneration(opened) } as const;
  switch (operation.kind) {
    case "write": {
      const { key, action } = operation;
      return [
        open,
        ...both("key0", "key1", key),
        ...both("action0", "action1", action),
        { word: "tag", value: key },
        close,
      ];
    }
    case "overwrite":
      return [open, ...both("action0", "action1", operation.action), close];
    case "revoke":
      return [open];
    case "remove":
      return [open, { word: "tag", value: 0 }];
  }
}

/** A reader on its way through a slot. `step` counts its loads; what it has loaded so far stands beside. */
export interface SlotReader {
  readonly key: number;
  readonly step: number;
  readonly generation: number;
  readonly action0: number;
  readonly action1: number;
}

/** Where a step leads: on, out without a flow, or out with the action that is executed. */
export type SlotReading =
  | { readonly kind: "reading"; readonly reader: SlotReader }
  | { readonly kind: "miss" }
  | { readonly kind: "hit"; readonly action0: number; readonly action1: number };

/** A reader that looks for `key` and has loaded nothing yet. */
export function slotReader(key: number): SlotReader {
  return { key, step: 0, generation: 0, action0: 0, action1: 0 };
}

/** The next load of a reader: `weft_search` and `weft_take` of bpf/lookup.h. */
export function readSlot(reader: SlotReader, slot: SlotWords): SlotReading {
  const { key, step, generation, action0, action1 } = reader;
  const on = (loaded: Partial<SlotReader> = {}): SlotReading => ({
    kind: "reading",
    reader: { ...reader, ...loaded, step: step + 1 },
  });
  switch (step) {
    case 0:
      return slot.tag === key ? on() : { kind: "miss" };
    case 1:
      return on({ generation: slot.generation });
    case 2:
      return slot.key0 === key ? on() : { kind: "miss" };
    case 3:
      return slot.key1 === key && isValidGeneration(generation) ? on() : { kind: "miss" };
    case 4:
      return on({ action0: slot.action0 });
    case 5:
      return on({ action1: slot.action1 });
    default:
      return slot.generation === generation ? { kind: "hit", action0, action1 } : { kind: "miss" };
  }
}

function both(first: keyof SlotWords, second: keyof SlotWords, value: number): readonly [SlotStore, SlotStore] {
  return [
    { word: first, value },
    { word: second, value },
  ];
}
