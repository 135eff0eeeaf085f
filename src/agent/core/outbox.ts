import type { DatapathWorker, ExecuteFrame } from "../../datapath/datapath.ts";
import { ACTION_WORDS, UPCALL_CSUM_PARTIAL } from "../../flow/layout.ts";
import type { FrameBytes } from "../../sim/sim-input.ts";
import { fragmentsOfOwn } from "../../sim/too-big.ts";
import type { Translator } from "./translate.ts";
import type { WorkerCounts } from "./worker-counts.ts";

/** Frames on their way out: executes what the translator says, on the frame as it was sent up. Nothing is allocated per frame. */
export class Outbox {
  readonly #datapath: DatapathWorker;
  readonly #translator: Translator;
  readonly #counts: WorkerCounts;
  readonly #execute: { -readonly [K in keyof ExecuteFrame]: ExecuteFrame[K] };
  readonly #single = new Uint32Array(ACTION_WORDS);

  constructor(datapath: DatapathWorker, translator: Translator, counts: WorkerCounts) {
    this.#datapath = datapath;
    this.#translator = translator;
    this.#counts = counts;
    const bytes = new Uint8Array(0);
    this.#execute = { bytes, offset: 0, length: 0, ingressVport: 0, gsoSize: 0, isChecksumPartial: false };
  }

  /**
   * Executes the translator's action, or each of its outputs when the flood has no group. `vport` is where the frame came in
   * (0: the network made it), `flags` word 10 of its upcall.
   */
  send(frame: FrameBytes, vport: number, flags: number): void {
    const execute = this.#execute;
    execute.bytes = frame.bytes;
    execute.offset = frame.offset;
    execute.length = frame.length;
    execute.ingressVport = vport;
    execute.gsoSize = frame.gsoSize;
    execute.isChecksumPartial = (flags & UPCALL_CSUM_PARTIAL) !== 0;
    const { action, isUngrouped, outputCount } = this.#translator;
    if (!isUngrouped) return this.#executeOne(action, vport);
    for (let i = 0; i < outputCount; i++) {
      if (vport !== 0 && this.#translator.localVport(i) === vport) continue;
      this.#translator.outputAction(i, this.#single, action);
      this.#executeOne(this.#single, vport);
    }
  }

  /** A frame that the network made. */
  sendBytes(bytes: Uint8Array, vport: number): void {
    this.send({ bytes, offset: 0, length: bytes.length, gsoSize: 0 }, vport, 0);
  }

  /** A frame of the network itself: what is too long for its way leaves in fragments, or is dropped and counted. */
  sendOwn(bytes: Uint8Array): void {
    const { fit, limit } = this.#translator;
    if (fit === "fits") return this.sendBytes(bytes, 0);
    const fragments = fit === "too-big" ? fragmentsOfOwn(bytes, limit) : [];
    if (fragments.length === 0) this.#counts.drop(0, fit);
    for (const fragment of fragments) this.sendBytes(fragment, 0);
  }

  #executeOne(action: Uint32Array, vport: number): void {
    if (this.#datapath.execute(this.#execute, action, 0)) return;
    this.#counts.metrics.add("weft_worker_uninjectable");
    this.#counts.drop(vport, "first-gso");
  }
}
