import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FlowTable } from "./flow-table.ts";
import {
  ACTION_WORDS,
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_FULL,
  CONTROL_BUCKETS,
  CONTROL_WORDS,
  COUNTER_WORDS,
  KEY_WORDS,
  SHARD_COUNT,
  SLOT_ACTION,
} from "./layout.ts";
import {
  closedGeneration,
  EMPTY_SLOT,
  isValidGeneration,
  openedGeneration,
  readSlot,
  type SlotOperation,
  type SlotReader,
  type SlotReading,
  type SlotStore,
  type SlotWords,
  slotReader,
  storesOf,
} from "./slot-protocol.ts";

/** A protocol to be tried: ours, or one with something left out. */
interface Protocol {
  storesOf(operation: SlotOperation, slot: SlotWords): readonly SlotStore[];
  readSlot(reader: SlotReader, slot: SlotWords): SlotReading;
}

const OURS: Protocol = { storesOf, readSlot };

/** A slot at one moment of a script, and the flow that is live then, as the writer means it. */
interface Moment {
  readonly slot: SlotWords;
  readonly live: { readonly key: number; readonly action: number } | undefined;
}

/** A flow as the writer means it: revoked ones are known and not valid. */
interface Flow {
  readonly key: number;
  readonly action: number;
  readonly isValid: boolean;
}

/** Every moment of a script of operations: before the first store, and after each. */
function momentsOf(script: readonly SlotOperation[], protocol: Protocol): readonly Moment[] {
  let slot = EMPTY_SLOT;
  let flow: Flow | undefined;
  const moments: Moment[] = [{ slot, live: undefined }];
  for (const operation of script) {
    const stores = protocol.storesOf(operation, slot);
    flow = flowAfter(operation, flow);
    for (const [i, store] of stores.entries()) {
      slot = { ...slot, [store.word]: store.value };
      // What was live is so up to the first store of a change, and what will be is so from its last.
      const isDone = i === stores.length - 1 && flow?.isValid === true;
      moments.push({ slot, live: isDone ? flow : undefined });
    }
  }
  return moments;
}

function flowAfter(operation: SlotOperation, flow: Flow | undefined): Flow | undefined {
  switch (operation.kind) {
    case "write":
      return { key: operation.key, action: operation.action, isValid: true };
    case "overwrite":
      return flow && { ...flow, action: operation.action, isValid: true };
    case "revoke":
      return flow && { ...flow, isValid: false };
    case "remove":
      return undefined;
  }
}

/** One reader in the middle of a read, and a bit for each action that was live for its key since it began. */
interface Going {
  readonly reader: SlotReader;
  readonly seen: number;
}

/**
 * Runs every interleaving of a script's stores and the readers' loads, which are all paths through the states (moment, reader, reader). Returns what a reader executed although it was not live for its key at any time while it read.
 */
function violationOf(
  script: readonly SlotOperation[],
  keys: readonly number[],
  protocol: Protocol,
): string | undefined {
  const moments = momentsOf(script, protocol);
  const liveFor = (key: number, moment: number): number => {
    const live = moments[moment]?.live;
    return live?.key === key ? 1 << live.action : 0;
  };
  const known = new Set<string>();
  const open: { readonly moment: number; readonly readers: readonly (Going | undefined)[] }[] = [
    { moment: 0, readers: keys.map((key) => ({ reader: slotReader(key), seen: liveFor(key, 0) })) },
  ];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const name = `${state.moment} ${state.readers.map(nameOf).join(" ")}`;
    if (known.has(name)) continue;
    known.add(name);
    const { moment, readers } = state;
    if (moment + 1 < moments.length) {
      const told = readers.map(
        (going) => going && { ...going, seen: going.seen | liveFor(going.reader.key, moment + 1) },
      );
      open.push({ moment: moment + 1, readers: told });
    }
    for (const [i, going] of readers.entries()) {
      if (going === undefined) continue;
      // A read begins with its first load: what was live before does not count.
      const seen = going.reader.step === 0 ? liveFor(going.reader.key, moment) : going.seen;
      const reading = protocol.readSlot(going.reader, (moments[moment] as Moment).slot);
      const isAllowed =
        reading.kind !== "hit" || (reading.action0 === reading.action1 && (seen & (1 << reading.action0)) !== 0);
      if (!isAllowed)
        return `reader of key ${going.reader.key} executed ${JSON.stringify(reading)} in ${JSON.stringify(script)}`;
      const next = reading.kind === "reading" ? { reader: reading.reader, seen } : undefined;
      open.push({ moment, readers: readers.map((other, j) => (i === j ? next : other)) });
    }
  }
  return undefined;
}

function nameOf(going: Going | undefined): string {
  if (going === undefined) return "-";
  const { step, generation, action0, action1 } = going.reader;
  return `${step},${generation},${action0},${action1},${going.seen}`;
}

const OPERATIONS: readonly SlotOperation[] = [
  { kind: "write", key: 1, action: 1 },
  { kind: "write", key: 1, action: 2 },
  { kind: "write", key: 2, action: 3 },
  { kind: "overwrite", action: 4 },
  { kind: "revoke" },
  { kind: "remove" },
];

/** All scripts of so many operations that a table could do: only a flow that is there is overwritten, revoked or removed. */
function scriptsOf(length: number): readonly (readonly SlotOperation[])[] {
  let scripts: (readonly SlotOperation[])[] = [[]];
  for (let i = 0; i < length; i++)
    scripts = scripts.flatMap((script) => OPERATIONS.map((operation) => [...script, operation]));
  return scripts.filter((script) => {
    let isThere = false;
    return script.every(({ kind }) => {
      const isPossible = kind === "write" || isThere;
      isThere = kind === "write" || (isThere && kind !== "remove");
      return isPossible;
    });
  });
}

const TWO_READERS = [
  [1, 1],
  [1, 2],
];

function firstViolation(
  protocol: Protocol,
  length: number,
  readers: readonly (readonly number[])[],
): string | undefined {
  for (const script of scriptsOf(length)) {
    for (const keys of readers) {
      const violation = violationOf(script, keys, protocol);
      if (violation !== undefined) return violation;
    }
  }
  return undefined;
}

describe("protocol of a slot", () => {
  it("lets no reader execute what was not live for its key while it read, in any interleaving", () => {
    assert.equal(firstViolation(OURS, 3, TWO_READERS), undefined);
  });

  it("and in no longer script either: readers do not see each other, so one stands for all", () => {
    assert.ok(scriptsOf(4).length > 300);
    assert.equal(firstViolation(OURS, 4, [[1], [2]]), undefined);
  });

  it("finds an undisturbed flow, and nothing after it was revoked or removed", () => {
    const moments = momentsOf(
      [OPERATIONS[0], { kind: "revoke" }, OPERATIONS[3], { kind: "remove" }] as SlotOperation[],
      OURS,
    );
    const found = moments.map(({ slot, live }) => [read(slot, 1), live?.action ?? 0]);
    for (const [action, live] of found) assert.equal(action, live);
    assert.deepEqual([...new Set(found.map(([action]) => action))], [0, 1, 4]);
  });

  const broken: Readonly<Record<string, Protocol>> = {
    "does not open": { ...OURS, storesOf: (op, slot) => storesOf(op, slot).slice(op.kind === "overwrite" ? 1 : 0) },
    "closes before the content": { ...OURS, storesOf: closedEarly },
    "closes with the number it had": { ...OURS, storesOf: sameNumber },
    "does not load the generation again": {
      ...OURS,
      readSlot: (r, slot) => readSlot(r, r.step < 6 ? slot : { ...slot, generation: r.generation }),
    },
    "takes what is being written": { ...OURS, readSlot: takesOdd },
    "loads the generation after the key": { ...OURS, readSlot: lateGeneration },
  };
  for (const [what, protocol] of Object.entries(broken)) {
    it(`would not hold if a side ${what}`, () => {
      assert.notEqual(firstViolation(protocol, 3, TWO_READERS), undefined);
    });
  }

  it("never gives a slot the number of an earlier content, nor that of an empty slot", () => {
    for (const generation of [0, 1, 2, 3, 0x7fff_fffe, 0x8000_0000, 0xffff_fffd, 0xffff_fffe, 0xffff_ffff]) {
      const opened = openedGeneration(generation);
      const closed = closedGeneration(opened);
      assert.ok(!isValidGeneration(opened) && isValidGeneration(closed), `${generation}`);
      assert.notEqual(closed, generation);
      assert.ok(closed >= 0 && opened >= 0);
    }
  });
});

function read(slot: SlotWords, key: number): number {
  for (let reader = slotReader(key); ; ) {
    const reading = readSlot(reader, slot);
    if (reading.kind === "miss") return 0;
    if (reading.kind === "hit") return reading.action0;
    reader = reading.reader;
  }
}

function closedEarly(operation: SlotOperation, slot: SlotWords): readonly SlotStore[] {
  const stores = storesOf(operation, slot);
  if (operation.kind !== "write") return stores;
  return [stores[0] as SlotStore, stores.at(-1) as SlotStore, ...stores.slice(1, -1)];
}

function sameNumber(operation: SlotOperation, slot: SlotWords): readonly SlotStore[] {
  const stores = storesOf(operation, slot);
  if (operation.kind !== "overwrite" || !isValidGeneration(slot.generation)) return stores;
  return [...stores.slice(0, -1), { word: "generation", value: slot.generation }];
}

function takesOdd(reader: SlotReader, slot: SlotWords): SlotReading {
  const reading = readSlot(reader, slot);
  const isRefused = reader.step === 3 && reading.kind === "miss" && slot.key1 === reader.key;
  return isRefused ? { kind: "reading", reader: { ...reader, step: 4 } } : reading;
}

/** The order of steps 1 and 2, 3 exchanged: key first, then the generation. */
function lateGeneration(reader: SlotReader, slot: SlotWords): SlotReading {
  const order = [0, 2, 3, 1, 4, 5, 6];
  const step = order[reader.step] as number;
  const trusted = step === 3 ? { ...reader, step, generation: 2 } : { ...reader, step };
  const reading = readSlot(trusted, slot);
  if (reading.kind !== "reading") return reading;
  if (step === 1 && !isValidGeneration(reading.reader.generation)) return { kind: "miss" };
  return { kind: "reading", reader: { ...reading.reader, step: reader.step + 1 } };
}

describe("flow table", () => {
  const now = 1;

  /** Runs `act` and gives the slot's words as they were at each store of its generation. */
  function atGenerationStores(
    words: Uint32Array,
    act: () => void,
  ): readonly { readonly generation: number; readonly content: string }[] {
    const seen: { generation: number; content: string }[] = [];
    const { store } = Atomics;
    const content = (): string => {
      const copy = words.slice();
      for (let at = BUCKET_GENERATION; at < copy.length; at += BUCKET_WORDS) copy.fill(0, at, at + BUCKET_WAYS);
      return copy.join();
    };
    Atomics.store = ((array: Uint32Array, index: number, value: number) => {
      if (array === words) seen.push({ generation: value, content: content() });
      return store(array, index, value);
    }) as typeof Atomics.store;
    try {
      act();
    } finally {
      Atomics.store = store;
    }
    seen.push({ generation: -1, content: content() });
    return seen;
  }

  function table(): {
    readonly flows: FlowTable;
    readonly words: Uint32Array;
    readonly key: Uint32Array;
    readonly slot: number;
  } {
    const control = new Uint32Array(CONTROL_WORDS);
    control[CONTROL_BUCKETS] = 1;
    const words = new Uint32Array(SHARD_COUNT * BUCKET_WORDS);
    const flows = new FlowTable(
      { control, buckets: words, counters: new Uint32Array(SHARD_COUNT * COUNTER_WORDS) },
      16,
    );
    const key = Uint32Array.from({ length: KEY_WORDS }, (_, i) => i + 1);
    const slot = flows.place(key, 0, { flowClass: CLASS_FULL, shard: 0, now });
    return { flows, words, key, slot };
  }

  it("stores in the order of the protocol: odd before any of the content, even after all of it", () => {
    const { flows, words, key, slot } = table();
    const action = new Uint32Array(ACTION_WORDS).fill(7);
    const untouched = atGenerationStores(words, () => undefined)[0]?.content;
    const write = atGenerationStores(words, () =>
      flows.write(slot, { key, keyOffset: 0, flowClass: CLASS_FULL, action, actionOffset: 0, now }),
    );
    assert.deepEqual(
      write.map(({ generation }) => generation),
      [1, 2, -1],
    );
    assert.deepEqual([write[0]?.content, write[1]?.content], [untouched, write[2]?.content]);
    const overwrite = atGenerationStores(words, () => flows.overwrite(slot, new Uint32Array(ACTION_WORDS).fill(8), 0));
    assert.deepEqual(
      overwrite.map(({ generation }) => generation),
      [3, 4, -1],
    );
    assert.deepEqual([overwrite[0]?.content, overwrite[1]?.content], [write[2]?.content, overwrite[2]?.content]);
    assert.equal(words[flows.keyAt(slot) + SLOT_ACTION], 8);
    const revoke = atGenerationStores(words, () => flows.revoke(slot));
    assert.deepEqual(
      revoke.map(({ generation }) => generation),
      [5, -1],
    );
    const remove = atGenerationStores(words, () => flows.remove(slot));
    assert.deepEqual(
      remove.map(({ generation }) => generation),
      [5, -1],
    );
    assert.equal(remove[0]?.content, revoke[1]?.content);
  });
});
