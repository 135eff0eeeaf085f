import { ok, type Result } from "../../base/result.ts";
import type { LinuxError } from "../errno.ts";
import { allocate } from "../libc.ts";
import { BpfAttributes, bpfCommand } from "./syscall.ts";

/**
 * What a tc program sees of a frame beside its bytes (struct __sk_buff), for a test run. Only these may be set:
 * the kernel refuses any other field that is not zero. `ingressIfindex` and `ifindex` must exist in this namespace.
 */
export interface SkBuff {
  readonly mark: number;
  readonly priority: number;
  readonly ingressIfindex: number;
  readonly ifindex: number;
  /** The five words of `cb`. */
  readonly cb: readonly [number, number, number, number, number];
  readonly gsoSegs: number;
  readonly gsoSize: number;
  readonly wireLength: number;
}

/** A frame to be run through a program, `repeat` times over the same bytes (default 1). */
export interface TestRun {
  readonly frame: Uint8Array;
  readonly context?: Partial<SkBuff>;
  readonly repeat?: number;
  /** Room for the frame that comes out (default: the frame's length and 512). */
  readonly roomBytes?: number;
}

/** What came out of a test run. */
export interface TestRunOutcome {
  /** The program's return value, such as a TC_ACT_*. */
  readonly returned: number;
  readonly frame: Uint8Array;
  readonly context: SkBuff;
  /** Mean time of one run in nanoseconds, when `repeat` is above 1. */
  readonly nanoseconds: number;
}

const contextBytes = 192;
const offsets = {
  mark: 8,
  priority: 32,
  ingressIfindex: 36,
  ifindex: 40,
  cb: 48,
  wireLength: 160,
  gsoSegs: 164,
  gsoSize: 176,
};

/**
 * Runs a loaded program on a frame (BPF_PROG_TEST_RUN) without any device. Of a tc program the kernel wants at least
 * 14 bytes and, when `ifindex` is absent, uses the loopback device. Redirects are not followed: `returned` says so.
 */
export function testRun(programFd: number, run: TestRun): Result<TestRunOutcome, LinuxError> {
  const context = writeContext(run.context ?? {});
  const contextOut = allocate(contextBytes);
  const frame = allocate(run.frame.length);
  frame.set(run.frame);
  const frameOut = allocate(run.roomBytes ?? run.frame.length + 512);
  const attributes = new BpfAttributes()
    .u32(0, programFd)
    .u32(8, frame.length)
    .u32(12, frameOut.length)
    .pointer(16, frame)
    .pointer(24, frameOut)
    .u32(32, run.repeat ?? 1)
    .u32(40, contextBytes)
    .u32(44, contextBytes)
    .pointer(48, context)
    .pointer(56, contextOut);
  const answer = attributes.checked(bpfCommand.progTestRun, `test run of program ${programFd}`);
  if (!answer.ok) return answer;
  return ok({
    returned: attributes.readU32(4),
    frame: frameOut.slice(0, attributes.readU32(12)),
    context: readContext(contextOut),
    nanoseconds: attributes.readU32(36),
  });
}

/** What the kernel knows of a loaded program. Times count only while `kernel.bpf_stats_enabled` is 1. */
export interface ProgramFacts {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** Hash of the instructions, as bpftool prints it. */
  readonly tag: string;
  readonly runNanoseconds: number;
  readonly runs: number;
  /** Instructions that the verifier walked; 0 before Linux 5.16. */
  readonly verifiedInstructions: number;
}

/** Asks the kernel about the program behind a descriptor. */
export function programFacts(fd: number): Result<ProgramFacts, LinuxError> {
  const facts = allocate(232);
  const attributes = new BpfAttributes().u32(0, fd).u32(4, facts.length).pointer(8, facts);
  const asked = attributes.checked(bpfCommand.infoByFd, `facts of the program behind descriptor ${fd}`);
  if (!asked.ok) return asked;
  const view = new DataView(facts.buffer);
  const name = facts.subarray(64, 80);
  return ok({
    type: view.getUint32(0, true),
    id: view.getUint32(4, true),
    tag: Buffer.from(facts.subarray(8, 16)).toString("hex"),
    name: new TextDecoder().decode(name.subarray(0, Math.max(0, name.indexOf(0)))),
    runNanoseconds: Number(view.getBigUint64(192, true)),
    runs: Number(view.getBigUint64(200, true)),
    verifiedInstructions: view.getUint32(216, true),
  });
}

function writeContext(context: Partial<SkBuff>): Uint8Array {
  const bytes = allocate(contextBytes);
  const view = new DataView(bytes.buffer);
  const { cb, ...fields } = context;
  for (const [name, value] of Object.entries(fields)) {
    view.setUint32(offsets[name as keyof typeof fields], value, true);
  }
  for (const [i, word] of (cb ?? []).entries()) view.setUint32(offsets.cb + 4 * i, word, true);
  return bytes;
}

function readContext(bytes: Uint8Array<ArrayBuffer>): SkBuff {
  const view = new DataView(bytes.buffer);
  const word = (offset: number): number => view.getUint32(offset, true);
  const cb = offsets.cb;
  return {
    mark: word(offsets.mark),
    priority: word(offsets.priority),
    ingressIfindex: word(offsets.ingressIfindex),
    ifindex: word(offsets.ifindex),
    cb: [word(cb), word(cb + 4), word(cb + 8), word(cb + 12), word(cb + 16)],
    gsoSegs: word(offsets.gsoSegs),
    gsoSize: word(offsets.gsoSize),
    wireLength: word(offsets.wireLength),
  };
}
