import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { writeRecord } from "./records.ts";

describe("writing a record that programs read meanwhile", () => {
  it("leaves a record that says this already as it is: nobody drops a frame for it", () => {
    const words = written([7, 8, 9]);
    const generation = words[1];
    writeRecord(words, 1, [7, 8, 9]);
    assert.equal(words[1], generation);
  });

  it("changes one word by one store, under the generation that it had", () => {
    const words = written([7, 8, 9]);
    const generation = words[1];
    writeRecord(words, 1, [7, -1, 9]);
    assert.deepEqual([...words.subarray(1, 5)], [generation, 7, 0xffff_ffff, 9]);
  });

  it("changes several words under a new generation, and nothing beside them", () => {
    const words = written([7, 8, 9]);
    const generation = words[1] as number;
    writeRecord(words, 1, [1, 2, 9]);
    assert.deepEqual([...words.subarray(2)], [1, 2, 9, 0]);
    assert.ok((words[1] as number) > generation && (words[1] as number) % 2 === 0);
  });

  it("closes what a writer that died has left open, though the words are the wanted ones", () => {
    const words = written([7, 8, 9]);
    words[1] = (words[1] as number) | 1;
    writeRecord(words, 1, [7, 8, 9]);
    assert.equal((words[1] as number) % 2, 0);
  });

  it("gives a record that was never written a generation", () => {
    const words = new Uint32Array(6);
    writeRecord(words, 1, [0, 0, 0]);
    assert.ok((words[1] as number) >= 2 && (words[1] as number) % 2 === 0);
  });
});

function written(content: readonly number[]): Uint32Array {
  const words = new Uint32Array(6);
  writeRecord(words, 1, content);
  assert.deepEqual([...words.subarray(2)], [...content, 0]);
  return words;
}
