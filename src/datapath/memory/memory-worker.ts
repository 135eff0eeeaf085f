import { ACTION_WORDS, CREDIT_WORDS, SHARD_COUNT } from "../../flow/layout.ts";
import { parseFrame } from "../../wire/frame.ts";
import { fillChecksums } from "../../wire/frame-checksum.ts";
import type { DatapathMemory, DatapathWorker, ExecuteFrame, UpcallHandler, UpcallRecord } from "../datapath.ts";
import { EXECUTE_BATCH, EXECUTE_FRAME_BYTES_MAX, EXECUTE_FRAME_BYTES_MIN } from "../limits.ts";
import type { MemoryKernel } from "./memory-kernel.ts";
import type { MemoryUpcall } from "./upcall-rings.ts";

interface Queued {
  readonly frame: Uint8Array;
  readonly ingressVport: number;
  readonly action: Uint32Array;
}

/** The worker's face of the memory datapath. Wake-ups come from the frame that filled the ring. */
export class MemoryWorker implements DatapathWorker {
  readonly memory: DatapathMemory;
  readonly shards: readonly number[];
  readonly #kernel: MemoryKernel;
  readonly #stopListening: () => void;
  readonly #record: UpcallRecord = {
    words: new Uint32Array(0),
    offset: 0,
    bytes: new Uint8Array(0),
    frameOffset: 0,
    frameLength: 0,
  };
  #queue: Queued[] = [];
  #wake: (() => void) | undefined;
  #turn = 0;

  constructor(memory: DatapathMemory, kernel: MemoryKernel, shards: readonly number[]) {
    this.memory = memory;
    this.shards = shards;
    this.#kernel = kernel;
    this.#stopListening = kernel.upcalls.onRecord((shard) => {
      if (this.shards.includes(shard)) this.#wakeUp();
    });
  }

  poll(limit: number, handle: UpcallHandler): number {
    const count = this.shards.length;
    let taken = 0;
    // Each poll begins with another shard, so that a busy one does not keep the others waiting.
    for (let i = 0; i < count && taken < limit; i++) {
      const shard = this.shards[(this.#turn + i) % count] as number;
      const ring = this.#kernel.upcalls.rings[shard] as MemoryUpcall[];
      for (const upcall of ring.splice(0, limit - taken)) {
        this.#hand(upcall, shard, handle);
        taken++;
      }
    }
    this.#turn = (this.#turn + 1) % Math.max(1, count);
    return taken;
  }

  execute(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    const { length, offset, ingressVport } = frame;
    if (length < EXECUTE_FRAME_BYTES_MIN || length > EXECUTE_FRAME_BYTES_MAX) return false;
    if (this.#queue.length === EXECUTE_BATCH) this.flush();
    const bytes = frame.bytes.slice(offset, offset + length);
    if (frame.isChecksumPartial) fillChecksums(parseFrame(bytes));
    this.#queue.push({
      frame: bytes,
      ingressVport,
      action: action.slice(actionOffset, actionOffset + ACTION_WORDS),
    });
    return true;
  }

  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { frame, ingressVport, action } of queue) this.#kernel.execute(frame, ingressVport, action);
  }

  sleep(wake: () => void): boolean {
    if (this.shards.some((shard) => (this.#kernel.upcalls.rings[shard] as MemoryUpcall[]).length > 0)) return false;
    this.#wake = wake;
    return true;
  }

  close(): void {
    this.#stopListening();
    this.#wake = undefined;
  }

  #hand(upcall: MemoryUpcall, shard: number, handle: UpcallHandler): void {
    const record = this.#record;
    record.words = upcall.words;
    record.offset = 0;
    record.bytes = upcall.frame;
    record.frameOffset = 0;
    record.frameLength = upcall.frame.length;
    handle(record);
    const at = ((upcall.words[3] as number) * SHARD_COUNT + shard) * CREDIT_WORDS;
    const { credits } = this.memory;
    credits[at + 2] = (credits[at + 2] as number) + 1;
    credits[at + 3] = (credits[at + 3] as number) + (upcall.words[2] as number);
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
