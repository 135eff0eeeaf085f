import { ACTION_WORDS, CREDIT_WORDS, SHARD_COUNT } from "../../flow/layout.ts";
import type { DatapathMemory, DatapathWorker, ExecuteFrame, UpcallHandler, UpcallRecord } from "../datapath.ts";
import type { MemoryKernel, MemoryUpcall } from "./memory-kernel.ts";

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
  readonly #queue: Queued[] = [];
  readonly #record: UpcallRecord = { words: new Uint32Array(0), offset: 0, bytes: new Uint8Array(0), frameOffset: 0, frameLength: 0 };
  #wake: (() => void) | undefined;

  constructor(memory: DatapathMemory, kernel: MemoryKernel, options: { readonly worker: number; readonly shards: readonly number[] }) {
    this.memory = memory;
    this.shards = options.shards;
    this.#kernel = kernel;
    const earlier = kernel.onUpcall;
    kernel.onUpcall = (shard) => {
      earlier(shard);
      if (this.shards.includes(shard)) this.#wakeUp();
    };
  }

  poll(limit: number, handle: UpcallHandler): number {
    let count = 0;
    for (const shard of this.shards) {
      const ring = this.#kernel.rings[shard] as MemoryUpcall[];
      const taken = ring.splice(0, limit - count);
      for (const upcall of taken) this.#hand(upcall, shard, handle);
      count += taken.length;
      if (count >= limit) break;
    }
    return count;
  }

  execute(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    this.#queue.push({
      frame: frame.bytes.slice(frame.offset, frame.offset + frame.length),
      ingressVport: frame.ingressVport,
      action: action.slice(actionOffset, actionOffset + ACTION_WORDS),
    });
    return true;
  }

  flush(): void {
    for (const { frame, ingressVport, action } of this.#queue.splice(0)) this.#kernel.execute(frame, ingressVport, action);
  }

  sleep(wake: () => void): boolean {
    if (this.shards.some((shard) => (this.#kernel.rings[shard] as MemoryUpcall[]).length > 0)) return false;
    this.#wake = wake;
    return true;
  }

  close(): void {
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
    credits[at + 3] = (credits[at + 3] as number) + upcall.frame.length;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
