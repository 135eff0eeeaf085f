import type { Result } from "../base/result.ts";
import type { ExecuteFrame } from "../datapath/datapath.ts";
import { EXECUTE_BATCH, EXECUTE_FRAME_BYTES_MAX, EXECUTE_FRAME_BYTES_MIN } from "../datapath/limits.ts";
import { VPORT_KIND, vportKind } from "../datapath/records.ts";
import {
  ACTION_WORDS,
  CONTROL_INJECT_FAILED,
  EXEC_ACTION,
  EXEC_ENTRIES,
  EXEC_MAGIC,
  EXEC_WORDS,
} from "../flow/layout.ts";
import type { LinuxError } from "../linux/errno.ts";
import type { Netns } from "../linux/netns.ts";
import { gsoType, PacketSender } from "../linux/packet-sender.ts";
import { udpSegmentCount, udpSegmentLength, writeUdpSegment } from "../wire/udp-segments.ts";
import { type ChecksumPlace, findChecksum, isCutByKernel, isCutHere } from "./frame-offload.ts";
import { INJECT_BUFFER_BYTES, UDP_SEGMENTS_MAX } from "./limits.ts";
import type { WorkerMemory } from "./worker-settings.ts";

/**
 * Sends frames with the action that the kernel is to execute on them. The action goes into an entry of the worker's execution table,
 * the frame onto the inject device with a mark that names the entry and its generation; the program there runs inside the system call,
 * so that an entry is free again when it returns.
 */
export class Injector {
  readonly #sender: PacketSender;
  readonly #exec: Uint32Array;
  readonly #control: Uint32Array;
  readonly #vports: Uint32Array;
  readonly #failedAt: number;
  readonly #firstEntry: number;
  readonly #markBase: number;
  readonly #place: ChecksumPlace = { l3: 0, start: 0, offset: 0, protocol: 0, isIpv6: false };
  #count = 0;
  #entry = 0;

  private constructor(sender: PacketSender, memory: Pick<WorkerMemory, "memory">, worker: number) {
    this.#sender = sender;
    this.#exec = memory.memory.exec;
    this.#control = memory.memory.control;
    this.#vports = memory.memory.vports;
    this.#failedAt = CONTROL_INJECT_FAILED + worker;
    this.#firstEntry = worker * EXEC_ENTRIES;
    this.#markBase = ((EXEC_MAGIC << 28) | (worker << 24)) >>> 0;
  }

  /** Opens the worker's socket on the inject device. `room`: frames in a batch, and bytes of each, if less than a worker's. */
  static open(
    memory: Pick<WorkerMemory, "memory" | "injectIfindex">,
    worker: number,
    { netns, room }: { readonly netns: Netns | undefined; readonly room?: readonly [frames: number, bytes: number] },
  ): Result<Injector, LinuxError> {
    const [slots, frameBytesMax] = room ?? [EXECUTE_BATCH, EXECUTE_FRAME_BYTES_MAX];
    const kind = { ifindex: memory.injectIfindex, slots, frameBytesMax, sendBufferBytes: INJECT_BUFFER_BYTES };
    const open = (): Result<PacketSender, LinuxError> => PacketSender.open(kind);
    const sender = netns === undefined ? open() : netns.runResult(open);
    return sender.ok ? { ok: true, value: new Injector(sender.value, memory, worker) } : sender;
  }

  /** Queues a frame, or the frames that it stands for; a full batch is sent first. False: it cannot be sent in this form. */
  add(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    const { length, offset } = frame;
    if (length < EXECUTE_FRAME_BYTES_MIN || length > this.#sender.frameBytesMax) return false;
    const isOffloaded = frame.isChecksumPartial || frame.gsoSize > 0;
    const hasPlace = isOffloaded && findChecksum(frame.bytes, offset, this.#place);
    if (frame.gsoSize > 0 && !(hasPlace && isCutByKernel(this.#place)))
      return hasPlace && this.#addSegments(frame, action, actionOffset);
    if (this.#count === this.#sender.slots) this.flush();
    const slot = this.#count++;
    const to = this.#sender.frameOffset(slot);
    if (length <= COPY_BY_HAND)
      for (let i = 0; i < length; i++) this.#sender.bytes[to + i] = frame.bytes[offset + i] as number;
    else this.#sender.bytes.set(frame.bytes.subarray(offset, offset + length), to);
    this.#sender.describe(slot, length, this.#program(frame.ingressVport, action, actionOffset));
    if (!hasPlace) return true;
    this.#sender.completeChecksum(slot, this.#place.start, this.#place.offset);
    if (frame.gsoSize > 0) this.#sender.segment(slot, this.#place.isIpv6 ? gsoType.tcp6 : gsoType.tcp4, frame.gsoSize);
    return true;
  }

  /**
   * Queues the datagrams of a UDP train one by one: kernels before 6.2 take no such train from a packet socket. Only from a veth, whose
   * sender is a kernel that means just that; a VM behind a TAP may mean one datagram in fragments, which looks the same here.
   */
  #addSegments(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    if (!isCutHere(this.#place) || vportKind(this.#vports, frame.ingressVport) !== VPORT_KIND.veth) return false;
    const { l3, start, isIpv6 } = this.#place;
    const train = { ...frame, l3, l4: start, isIpv6, segmentBytes: frame.gsoSize };
    const count = udpSegmentCount(train);
    if (count === 0 || count > UDP_SEGMENTS_MAX) return false;
    for (let index = 0; index < count; index++) {
      if (this.#count === this.#sender.slots) this.flush();
      const slot = this.#count++;
      writeUdpSegment(train, index, { bytes: this.#sender.bytes, at: this.#sender.frameOffset(slot) });
      const mark = this.#program(frame.ingressVport, action, actionOffset);
      this.#sender.describe(slot, udpSegmentLength(train, index), mark);
    }
    return true;
  }

  /** Sends what is queued. A frame that the kernel refuses is counted and left out; the rest go on. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    for (let from = 0; from < count; ) {
      const sent = this.#sender.flush(from, count - from);
      from += sent;
      if (sent > 0) continue;
      if (this.#sender.errno === "EINTR") continue;
      this.#control[this.#failedAt] = (this.#control[this.#failedAt] as number) + 1;
      from++;
    }
  }

  /** Closes the socket. */
  close(): void {
    this.#sender.close();
  }

  /** Writes the next entry of the table and returns the mark that names it. */
  #program(ingressVport: number, action: Uint32Array, actionOffset: number): number {
    const entry = this.#entry;
    this.#entry = (entry + 1) % EXEC_ENTRIES;
    const exec = this.#exec;
    const at = (this.#firstEntry + entry) * EXEC_WORDS;
    const generation = ((exec[at] as number) + 1) & 0xfff;
    exec[at] = generation;
    exec[at + 1] = ingressVport;
    for (let i = 0; i < ACTION_WORDS; i++) exec[at + EXEC_ACTION + i] = action[actionOffset + i] as number;
    return (this.#markBase | (generation << 12) | entry) >>> 0;
  }
}

/** Frames up to this length are copied byte by byte: a `subarray` for each would be garbage and costs more. */
const COPY_BY_HAND = 192;
