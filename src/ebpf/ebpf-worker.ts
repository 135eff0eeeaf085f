import { type Duration, kernelNanoseconds } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import type {
  DatapathError,
  DatapathMemory,
  DatapathWorker,
  ExecuteFrame,
  UpcallHandler,
  UpcallRecord,
  WorkerSettings,
} from "../datapath/datapath.ts";
import { EXECUTE_FRAME_BYTES_MAX } from "../datapath/limits.ts";
import { CONTROL_SLEEPING, CONTROL_STALE, CREDIT_WORDS, SHARD_COUNT, VPORT_MAX } from "../flow/layout.ts";
import { EpollSet } from "../linux/epoll.ts";
import { EventFd } from "../linux/eventfd.ts";
import type { Netns } from "../linux/netns.ts";
import { type Poll, pollFd } from "../linux/poll.ts";
import { datapathError } from "./errors.ts";
import { Injector } from "./injector.ts";
import { SLEEPS_BETWEEN_ROUNDS, STALE_UPCALL_NS } from "./limits.ts";
import { RECORD_HEADER_BYTES, RingReader } from "./ring-reader.ts";
import { WakeDevice } from "./wake-device.ts";
import { openWorkerMemory, type WorkerMemory } from "./worker-settings.ts";

const VLAN_PRESENT = 1 << 16;
const VLAN_SERVICE = 1 << 17;
/** Sleep flag: to be woken by the ring. */
const BY_RING = 1;

/** Which worker this is and what it owns. `netns` only when the host's namespace is not that of the calling thread. */
export interface WorkerPlace {
  readonly worker: number;
  readonly shards: readonly number[];
  readonly netns?: Netns;
  /** Whether it will `wait`, for which it gets a wake device. */
  readonly waits?: boolean;
  /** Age from which upcalls that waited for this worker to open are dropped (default STALE_UPCALL_NS). */
  readonly staleAfterNs?: number;
}

/**
 * The worker's face of the eBPF datapath: reads its shards' rings by plain loads, sends frames in batches, sleeps on the rings'
 * descriptors. No system call but one for a batch of frames, and those of going to sleep.
 */
export class EbpfWorker implements DatapathWorker {
  readonly memory: DatapathMemory;
  readonly shards: readonly number[];
  readonly #rings: readonly RingReader[];
  readonly #injector: Injector;
  /** Rings, and below the eventfd by which control ends a wait. */
  readonly #epoll: EpollSet;
  readonly #kick: EventFd;
  readonly #wakeDevice: WakeDevice | undefined;
  #isDeviceReadable = false;
  #hasSlept = false;
  readonly #fence = new Int32Array(1);
  #sleeps = 0;
  /** Indices of rings with records that were passed and not released, and how many. */
  readonly #handled = new Uint8Array(SHARD_COUNT);
  #handledCount = 0;
  /** Indices of the shards whose flags were set last. */
  readonly #armed = new Uint8Array(SHARD_COUNT);
  readonly #record: UpcallRecord;
  readonly #tagged = new Uint8Array(EXECUTE_FRAME_BYTES_MAX + 4);
  /** Upcalls from before this moment of the kernel's clock are too old. */
  readonly #staleBefore: bigint;
  /** Rings in which records of an earlier process may still be. */
  #mayHoldStale = true;
  #poll: Poll | undefined;
  #wake: (() => void) | undefined;
  #turn = 0;

  private constructor(parts: {
    readonly memory: WorkerMemory;
    readonly place: WorkerPlace;
    readonly injector: Injector;
    readonly epoll: EpollSet;
    readonly wakeDevice: WakeDevice | undefined;
  }) {
    const { memory, place, injector, epoll } = parts;
    this.memory = memory.memory;
    this.shards = place.shards;
    this.#rings = place.shards.map((shard) => new RingReader(memory.rings[shard] as WorkerMemory["rings"][number]));
    this.#injector = injector;
    this.#epoll = epoll;
    this.#wakeDevice = parts.wakeDevice;
    this.#kick = EventFd.attach(memory.kickFds[place.worker] as number);
    this.#staleBefore = kernelNanoseconds() - BigInt(place.staleAfterNs ?? STALE_UPCALL_NS);
    this.#record = { words: new Uint32Array(0), offset: 0, bytes: this.#tagged, frameOffset: 0, frameLength: 0 };
    // An earlier process that was killed in its sleep left flags: what they say of its rings is not known to be so.
    this.#disarm();
  }

  /** Opens the face on the calling thread, from what `EbpfDatapath.workerSettings` gave. */
  static open(settings: WorkerSettings, place: WorkerPlace): Result<EbpfWorker, DatapathError> {
    const memory = openWorkerMemory(settings);
    const injector = Injector.open(memory, place.worker, { netns: place.netns });
    if (!injector.ok) return err(datapathError("device-refused", injector.error));
    const epoll = EpollSet.open();
    if (!epoll.ok) return err(datapathError("limit", epoll.error));
    for (const fd of [...place.shards.map((shard) => memory.rings[shard]?.fd), memory.kickFds[place.worker]]) {
      const added = epoll.value.add(fd ?? -1);
      if (!added.ok) return err(datapathError("limit", added.error));
    }
    const wakeDevice = place.waits === true ? WakeDevice.open(place.netns) : undefined;
    // Without one the rings wake us.
    const device = wakeDevice?.ok === true ? wakeDevice.value : undefined;
    if (device !== undefined) epoll.value.add(device.fd);
    return ok(new EbpfWorker({ memory, place, injector: injector.value, epoll: epoll.value, wakeDevice: device }));
  }

  poll(limit: number, handle: UpcallHandler): number {
    const { shards } = this;
    const { control } = this.memory;
    const count = this.#rings.length;
    let taken = 0;
    this.#release();
    // Each poll begins with another shard, so that a busy one does not keep the others waiting. A ring whose flag still stands is
    // empty, or its producer is about to take the flag: looking at it would fetch memory that nobody has touched for long.
    for (let i = 0; i < count && taken < limit; i++) {
      const index = (this.#turn + i) % count;
      if (control[CONTROL_SLEEPING + (shards[index] as number)] !== 0) continue;
      if (this.#rings[index]?.mayHaveNext() === true) taken += this.#drain(index, limit - taken, handle);
    }
    this.#turn = (this.#turn + 1) % count;
    if (taken === 0) this.#mayHoldStale = false;
    return taken;
  }

  execute(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    return this.#injector.add(frame, action, actionOffset);
  }

  /**
   * Sends, and only then gives the records of the frames back: a process that is killed before has lost nothing, its successor reads
   * them again.
   */
  flush(): void {
    this.#injector.flush();
    this.#release();
  }

  sleep(wake: () => void): boolean {
    if (!this.#announceSleep(BY_RING)) return false;
    this.#wake = wake;
    // The watch stays: taking it out of the event loop while awake costs more system calls than what it tells then.
    this.#poll ??= pollFd(this.#epoll.fd, { readable: true }, () => this.#onReadable());
    return true;
  }

  /**
   * Waits on the spot until a frame comes or control calls `wakeWorker`, at most `span` milliseconds. The thread gets no messages
   * and no timers meanwhile. One system call, where a wait in the event loop takes several and two crossings into JavaScript.
   * True when a frame came.
   */
  wait(span: Duration): boolean {
    const device = this.#wakeDevice;
    // Not before: whoever was woken has a packet to send first.
    if (this.#isDeviceReadable) device?.take();
    this.#isDeviceReadable = false;
    this.#hasSlept = false;
    if (!this.#announceSleep(device === undefined ? BY_RING : device.ifindex)) return true;
    this.#hasSlept = true;
    const { ready } = this.#epoll;
    const count = this.#epoll.wait(Math.ceil(span));
    let frames = count;
    for (let i = 0; i < count; i++) {
      if (ready[i] === device?.fd) this.#isDeviceReadable = true;
      if (ready[i] !== this.#kick.fd) continue;
      this.#kick.drain();
      frames--;
    }
    return frames > 0;
  }

  /** Whether the last `wait` slept: all rings were empty then, so what they hold now has waited for this thread to run. */
  get hasSlept(): boolean {
    return this.#hasSlept;
  }

  close(): void {
    this.#release();
    this.#disarm();
    this.#wake = undefined;
    this.#poll?.close();
    this.#epoll.close();
    this.#wakeDevice?.close();
    this.#injector.close();
  }

  /**
   * Sets the sleep flags that do not stand; false when there is work. A flag is taken away only by who puts a record into its shard's
   * ring, so those that stand need no second look, and tell after the sleep which rings to look at.
   */
  #announceSleep(flag: number): boolean {
    const { control } = this.memory;
    const { shards } = this;
    const armed = this.#armed;
    // Now and then all rings are looked at: a record that its writer gave up takes room, but no flag.
    if (++this.#sleeps % SLEEPS_BETWEEN_ROUNDS === 0) this.#disarm();
    let count = 0;
    // Plain stores and a fence behind them, which is what matters: what is loaded afterwards is loaded after all of them are seen.
    for (let i = 0; i < shards.length; i++) {
      const at = CONTROL_SLEEPING + (shards[i] as number);
      if (control[at] === flag) continue;
      control[at] = flag;
      armed[count++] = i;
    }
    if (count > 0) Atomics.store(this.#fence, 0, flag);
    let isIdle = true;
    for (let i = 0; i < count; i++) {
      const index = armed[i] as number;
      // A record that is still being written counts as work: its writer may have read the flag before it was set.
      if (this.#rings[index]?.isEmpty() === true) continue;
      control[CONTROL_SLEEPING + (shards[index] as number)] = 0;
      isIdle = false;
    }
    return isIdle;
  }

  #onReadable(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    wake();
  }

  /** Takes all flags away: nobody wakes us, and each ring is looked at. */
  #disarm(): void {
    for (const shard of this.shards) this.memory.control[CONTROL_SLEEPING + shard] = 0;
  }

  #drain(index: number, limit: number, handle: UpcallHandler): number {
    const ring = this.#rings[index] as RingReader;
    const shard = this.shards[index] as number;
    let taken = 0;
    while (taken < limit && ring.next()) {
      const at = ring.offset;
      const vport = (ring.words[at + 3] as number) & (VPORT_MAX - 1);
      const captured = ring.words[at + 2] as number;
      if (this.#mayHoldStale && this.#isStale(ring.words, at))
        this.memory.control[CONTROL_STALE] = (this.memory.control[CONTROL_STALE] as number) + 1;
      else handle(this.#view(ring, at, captured));
      ring.pass();
      this.#returnCredit(vport * SHARD_COUNT + shard, captured);
      taken++;
    }
    this.#handled[this.#handledCount++] = index;
    return taken;
  }

  #release(): void {
    for (let i = 0; i < this.#handledCount; i++) this.#rings[this.#handled[i] as number]?.release();
    this.#handledCount = 0;
  }

  #view(ring: RingReader, at: number, captured: number): UpcallRecord {
    const record = this.#record;
    record.words = ring.words;
    record.offset = at;
    const vlan = ring.words[at + 4] as number;
    if ((vlan & VLAN_PRESENT) !== 0)
      return this.#viewTagged(ring, { from: 4 * at + RECORD_HEADER_BYTES, captured, vlan });
    record.bytes = ring.bytes;
    record.frameOffset = 4 * at + RECORD_HEADER_BYTES;
    record.frameLength = captured;
    return record;
  }

  /** The receive path takes the outer tag out of the bytes: put it back, in a copy. */
  #viewTagged(
    ring: RingReader,
    frame: { readonly from: number; readonly captured: number; readonly vlan: number },
  ): UpcallRecord {
    const { from, captured, vlan } = frame;
    const tagged = this.#tagged;
    const length = Math.min(captured, EXECUTE_FRAME_BYTES_MAX);
    tagged.set(ring.bytes.subarray(from, from + 12));
    const type = (vlan & VLAN_SERVICE) !== 0 ? 0x88a8 : 0x8100;
    tagged[12] = type >>> 8;
    tagged[13] = type & 0xff;
    tagged[14] = (vlan >>> 8) & 0xff;
    tagged[15] = vlan & 0xff;
    tagged.set(ring.bytes.subarray(from + 12, from + length), 16);
    const record = this.#record;
    record.bytes = tagged;
    record.frameOffset = 0;
    record.frameLength = length + 4;
    return record;
  }

  #isStale(words: Uint32Array, at: number): boolean {
    const low = BigInt(words[at + 8] as number);
    const high = BigInt(words[at + 9] as number);
    return ((high << 32n) | low) < this.#staleBefore;
  }

  #returnCredit(index: number, bytes: number): void {
    const at = index * CREDIT_WORDS;
    const { credits } = this.memory;
    credits[at + 2] = (credits[at + 2] as number) + 1;
    credits[at + 3] = (credits[at + 3] as number) + bytes;
  }
}
