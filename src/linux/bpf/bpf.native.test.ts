import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { bpffsRoot, ensureBpffs, ensurePinDirectory } from "./bpffs.ts";
import { compileFixture } from "./fixture/compile.ts";
import { libbpfVersion, loadObject } from "./libbpf.ts";
import { BpfMap, bpfMapFlags, bpfMapType, createMap, openPinnedMap, possibleCpus } from "./map.ts";
import { programFacts, testRun } from "./program.ts";
import { mmapRingbuf } from "./ringbuf.ts";
import { bpfGet, bpfPin } from "./syscall.ts";

const pins = `${bpffsRoot}/weft-linux-test-${process.pid}`;
const tc = compileFixture("tc");
const refused = compileFixture("refused");
const needsClang = { skip: tc === undefined ? "clang is not installed" : false };
const path = tc?.path ?? "";

before(() => {
  unwrap(ensureBpffs());
  unwrap(ensureBpffs());
  unwrap(ensurePinDirectory(pins));
});

after(() => {
  rmSync(pins, { recursive: true, force: true });
  tc?.remove();
  refused?.remove();
});

test("a hash map takes, gives back, lists and forgets keys", () => {
  const map = unwrap(
    createMap({
      type: bpfMapType.hash,
      keyBytes: 4,
      valueBytes: 8,
      maxEntries: 2,
      flags: 0,
      name: "a_name_far_too_long",
    }),
  );
  assert.equal(map.shape.name, "a_name_far_too_");
  const key = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);
  const value = new Uint8Array(8);
  assert.equal(map.lookup(key(1), value), false);
  unwrap(map.update(key(1), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
  unwrap(map.update(key(2), Uint8Array.of(9, 2, 3, 4, 5, 6, 7, 8)));
  assert.equal(map.lookup(key(2), value), true);
  assert.equal(value[0], 9);
  assert.deepEqual(
    map
      .keys()
      .map((k) => k[0])
      .sort(),
    [1, 2],
  );
  const full = map.update(key(3), value);
  assert.ok(!full.ok);
  assert.equal(full.error.errno, "E2BIG");
  assert.equal(map.delete(key(1)), true);
  assert.equal(map.delete(key(1)), false);
  assert.throws(() => map.lookup(Uint8Array.of(1), value), /key of the wrong size/);
  map.close();
});

test("a descriptor that is no map is refused", () => {
  const adopted = BpfMap.adopt(9999);
  assert.ok(!adopted.ok);
  assert.equal(adopted.error.errno, "EBADFD");
});

test("a mapped array and the system call see the same values", () => {
  const shape = { type: bpfMapType.array, keyBytes: 4, valueBytes: 12, maxEntries: 600, flags: bpfMapFlags.mmapable };
  const map = unwrap(createMap({ ...shape, name: "mapped" }));
  const mapping = unwrap(map.mmap());
  assert.equal(mapping.handle.length, 12288);
  const words = new Uint32Array(mapping.buffer);
  Atomics.store(words, 4, 77);
  const value = new Uint8Array(12);
  assert.equal(map.lookup(new Uint8Array(Uint32Array.of(1).buffer), value), true);
  assert.equal(value[0], 77);
  mapping.unmap();
  map.close();
});

test("a per-CPU map has a value for each CPU, and a buffer for one is refused", () => {
  const shape = { type: bpfMapType.percpuArray, keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0, name: "percpu" };
  const map = unwrap(createMap(shape));
  assert.equal(map.callValueBytes, 8 * possibleCpus());
  const key = new Uint8Array(4);
  assert.throws(() => map.lookup(key, new Uint8Array(4)), /value buffer too short/);
  const values = new Uint32Array(2 * possibleCpus()).map((_, i) => (i % 2 === 0 ? i + 1 : 0));
  unwrap(map.update(key, new Uint8Array(values.buffer)));
  const found = new Uint32Array(values.length);
  assert.equal(map.lookup(key, new Uint8Array(found.buffer)), true);
  assert.deepEqual(found, values);
  map.close();
});

test("libbpf loads an object with other map sizes and constants, and the program runs on a frame", needsClang, () => {
  assert.match(unwrap(libbpfVersion()), /^v\d/);
  const verdict = new Uint8Array(Uint32Array.of(2).buffer);
  const object = unwrap(
    loadObject({
      path,
      maps: {
        counters: { maxEntries: 1024 },
        ring: { maxEntries: 8192 },
        ".rodata": { initialBytes: { offset: 0, bytes: verdict } },
      },
      withoutPrograms: ["discard"],
    }),
  );
  assert.deepEqual([...object.programNames()].sort(), ["count", "discard", "tell_class"]);
  assert.ok(object.mapNames().includes("counters"));
  assert.equal(object.mapFd("absent"), undefined);
  assert.equal(object.programFd("discard"), undefined);
  const program = object.programFd("count") ?? -1;
  const frame = new Uint8Array(64).fill(5, 0, 12);
  const outcome = unwrap(testRun(program, { frame, context: { mark: 3, cb: [1, 2, 3, 4, 5] }, repeat: 10 }));
  assert.equal(outcome.returned, 2);
  assert.equal(outcome.context.mark, 7);
  assert.deepEqual(outcome.context.cb, [1, 2, 3, 4, 5]);
  assert.deepEqual(outcome.frame, frame);
  assert.equal(unwrap(programFacts(program)).name, "count");

  unwrap(bpfPin(object.mapFd("counters") ?? -1, `${pins}/counters`));
  unwrap(bpfPin(program, `${pins}/count`));
  unwrap(bpfPin(object.mapFd("ring") ?? -1, `${pins}/ring`));
  object.close();
  const counters = unwrap(openPinnedMap(`${pins}/counters`));
  assert.equal(counters.shape.maxEntries, 1024);
  const value = new Uint8Array(8);
  counters.lookup(new Uint8Array(4), value);
  assert.equal(value[0], 10);
  counters.close();
  unwrap(testRun(unwrap(bpfGet(`${pins}/count`)), { frame }));
});

test("a ring's records are read by plain loads", needsClang, () => {
  const ring = unwrap(openPinnedMap(`${pins}/ring`));
  const { consumer, producerAndData, dataBytes, dataOffset } = unwrap(mmapRingbuf(ring));
  assert.equal(dataBytes, 8192);
  const produced = Number(new BigUint64Array(producerAndData.buffer, 0, 1)[0]);
  assert.equal(produced, 11 * 16);
  const data = new Uint32Array(producerAndData.buffer, dataOffset, (2 * dataBytes) / 4);
  assert.deepEqual([...data.subarray(0, 4)], [8, data[1], 64, 3]);
  new BigUint64Array(consumer.buffer, 0, 1)[0] = BigInt(produced);
  consumer.unmap();
  producerAndData.unmap();
  ring.close();
});

test("a restart takes the pinned maps, by path or by descriptor", needsClang, () => {
  const again = unwrap(loadObject({ path, maps: { counters: { maxEntries: 1024, pinPath: `${pins}/counters` } } }));
  const counters = unwrap(BpfMap.adopt(again.mapFd("counters") ?? -1));
  const value = new Uint8Array(8);
  counters.lookup(new Uint8Array(4), value);
  assert.equal(value[0], 11);
  const byFd = unwrap(loadObject({ path, maps: { counters: { reuseFd: counters.fd } } }));
  unwrap(testRun(byFd.programFd("count") ?? -1, { frame: new Uint8Array(64) }));
  counters.lookup(new Uint8Array(4), value);
  assert.equal(value[0], 12);
  byFd.close();
  again.close();
  assert.ok(existsSync(`${pins}/counters`));
});

test("a pinned map of another shape is an error that names the map, and nothing is replaced", needsClang, () => {
  const other = loadObject({ path, maps: { counters: { maxEntries: 8, pinPath: `${pins}/counters` } } });
  assert.ok(!other.ok);
  assert.match(other.error.text, /counters/);
  assert.equal(unwrap(openPinnedMap(`${pins}/counters`)).shape.maxEntries, 1024);
});

test("a refused program's error ends with the verifier's words", needsClang, () => {
  const loaded = loadObject({ path: refused?.path ?? "" });
  assert.ok(!loaded.ok);
  assert.match(loaded.error.text, /^load of BPF object .*refused.*EACCES/);
  assert.match(loaded.error.text, /invalid access to packet/);
});

test("a missing object or an unknown map is one sentence", needsClang, () => {
  const missing = loadObject({ path: "/nonexistent.o" });
  assert.ok(!missing.ok);
  assert.match(missing.error.text, /^open of BPF object \/nonexistent.o failed: ENOENT/);
  const unknown = loadObject({ path, maps: { nothing: { maxEntries: 2 } } });
  assert.ok(!unknown.ok);
  assert.match(unknown.error.text, /^find map nothing of BPF object/);
});
