import { unwrap } from "../../../src/base/result.ts";
import type { DatapathMemory, DatapathWorker } from "../../../src/datapath/datapath.ts";
import type { EbpfDatapath } from "../../../src/ebpf/ebpf-datapath.ts";
import { UPCALL_HEADER_WORDS } from "../../../src/flow/layout.ts";
import { type TestRun, testRun } from "../../../src/linux/bpf/program.ts";

/** The arrays whose words a script carries, by their names in the object. */
const MAPS: Readonly<Partial<Record<keyof DatapathMemory, string>>> = {
  control: "control",
  buckets: "buckets",
  vports: "vports",
  peers: "peers",
  groups: "groups",
  credits: "credits",
  exec: "exec",
};

/**
 * Runs programs here and writes down what was in memory and what came out, as a script that `run-programs.c` follows elsewhere. Memory
 * is compared with what it was after the last run, so that the script has exactly what the test wrote.
 */
export class Recorder {
  readonly lines: string[] = [];
  runs = 0;
  readonly #datapath: EbpfDatapath;
  readonly #worker: DatapathWorker;
  readonly #known = new Map<keyof DatapathMemory, Uint32Array>();

  constructor(datapath: EbpfDatapath, worker: DatapathWorker, sizes: Readonly<Record<string, number>>) {
    this.#datapath = datapath;
    this.#worker = worker;
    for (const [map, entries] of Object.entries(sizes)) this.lines.push(`size ${map} ${entries.toString(16)}`);
    for (const field of Object.keys(MAPS) as (keyof DatapathMemory)[]) {
      this.#known.set(field, new Uint32Array(datapath.memory[field].length));
    }
  }

  /** Names the vport of the loopback interface, by which frames of a test run come in. */
  comeInBy(vport: number): void {
    this.#datapath.nameInterface(1, vport);
    this.lines.push(`u interfaces ${hexOf(Uint32Array.of(1))} ${hexOf(Uint32Array.of(vport))}`);
  }

  /** Runs a program; false when this kernel has no test run for such a frame: then nothing is recorded. */
  run(program: string, input: TestRun): boolean {
    const writes = this.#writes();
    const { mark = 0, gsoSize = 0, gsoSegs = 0 } = input.context ?? {};
    const ran = testRun(this.#datapath.programFd(program), input);
    if (!ran.ok && ran.error.errno === "EINVAL") {
      this.lines.push(...writes);
      return false;
    }
    const { returned, frame, context } = unwrap(ran);
    this.lines.push(...writes);
    this.lines.push(`r ${program} ${hex(mark)} ${hex(gsoSize)} ${hex(gsoSegs)} ${hexOf(input.frame)}`);
    this.lines.push(
      `= ${hex(returned)} ${context.cb.slice(0, 4).map(hex).join(" ")} ${hex(context.mark)} ${hexOf(frame)}`,
    );
    this.#remember();
    this.#records();
    this.runs++;
    return true;
  }

  /** The words that differ from what they were after the last run, as lines; runs of words are joined. */
  #writes(): string[] {
    const lines: string[] = [];
    for (const [field, known] of this.#known) {
      const words = this.#datapath.memory[field];
      for (let i = 0; i < words.length; i++) {
        if (words[i] === known[i]) continue;
        let end = i;
        while (end < words.length && words[end] !== known[end]) end++;
        lines.push(`w ${MAPS[field]} ${hex(4 * i)} ${hexOf(words.slice(i, end))}`);
        i = end;
      }
    }
    this.#remember();
    return lines;
  }

  #remember(): void {
    for (const [field, known] of this.#known) known.set(this.#datapath.memory[field]);
  }

  #records(): void {
    this.#worker.poll(64, (record) => {
      const words = record.words.slice(record.offset, record.offset + UPCALL_HEADER_WORDS);
      words.fill(0, 8, 10);
      const bytes = record.bytes.subarray(record.frameOffset, record.frameOffset + record.frameLength);
      this.lines.push(`k ${hexOf(words)}${hexOf(bytes)}`);
    });
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16);
}

function hexOf(words: Uint32Array | Uint8Array): string {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString("hex");
}
