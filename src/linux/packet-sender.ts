import { assert } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { type Errno, errnoName, type LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { addressOf, allocate, libc } from "./libc.ts";
import { packetSlotBytes, packetSlots } from "./limits.ts";
import { openPacketSocket, vnetHeaderBytes } from "./packet-socket.ts";
import { socketOption } from "./socket.ts";

/** Segmentation kinds of a `virtio_net_hdr`. `udpL4` needs Linux 6.2. */
export const gsoType = { none: 0, tcp4: 1, udp: 3, tcp6: 4, udpL4: 5 } as const;

/** How to open a sender. */
export interface PacketSenderKind {
  readonly ifindex: number;
  /** Frames in one batch (default `packetSlots`). */
  readonly slots?: number;
  /** Room of one frame (default `packetSlotBytes`). */
  readonly frameBytesMax?: number;
  readonly sendBufferBytes?: number;
}

const messageBytes = 64;
const vectorBytes = 16;
const controlBytes = 24;
const needsChecksum = 1;
const headerBytes = 16;

/**
 * Sends frames into an interface in batches, one sendmmsg(2) a batch, each with its own SO_MARK. The caller writes
 * frame bytes at `frameOffset(slot)` of `bytes`, describes the slot, and flushes. One memory, no allocation per frame.
 * tc egress programs of the interface run inside `flush`, on this thread, before it returns.
 */
export class PacketSender {
  readonly fd: number;
  /** All slots. Bytes of a slot may be rewritten as soon as `flush` has returned. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly slots: number;
  readonly frameBytesMax: number;
  /** Why the last `flush` stopped at its first frame; undefined when it sent at least one. */
  errno: Errno | undefined;
  readonly #stride: number;
  readonly #view: DataView;
  readonly #messages: Uint8Array<ArrayBuffer>;
  /** Addresses: as numbers, which cross into C by a shorter way than a bigint. */
  readonly #messagesAt: number[];
  readonly #vectors: Uint32Array;
  readonly #controls: Uint32Array;
  readonly #libc = libc();

  private constructor(fd: number, slots: number, frameBytesMax: number) {
    this.fd = fd;
    this.slots = slots;
    this.frameBytesMax = frameBytesMax;
    // The header sits right before the frame, and the frame itself begins 16-byte aligned.
    this.#stride = (headerBytes + frameBytesMax + 15) & ~15;
    this.bytes = allocate(this.#stride * slots);
    this.#view = new DataView(this.bytes.buffer);
    this.#messages = allocate(messageBytes * slots);
    this.#vectors = new Uint32Array(allocate(vectorBytes * slots).buffer);
    this.#controls = new Uint32Array(allocate(controlBytes * slots).buffer);
    const messages = Number(addressOf(this.#messages));
    this.#messagesAt = Array.from({ length: slots }, (_, slot) => messages + slot * messageBytes);
    this.#link();
  }

  /** Opens a sender on an interface of the calling thread's namespace. */
  static open(kind: PacketSenderKind): Result<PacketSender, LinuxError> {
    const { ifindex, slots = packetSlots, frameBytesMax = packetSlotBytes, sendBufferBytes } = kind;
    assert(slots > 0 && slots <= 1024, "a batch has 1 to 1024 slots", { slots });
    const buffer = sendBufferBytes === undefined ? {} : { sendBufferBytes };
    const fd = openPacketSocket({ ifindex, hasVnetHeader: true, ...buffer });
    return fd.ok ? ok(new PacketSender(fd.value, slots, frameBytesMax)) : fd;
  }

  /** Where in `bytes` the frame of a slot begins. */
  frameOffset(slot: number): number {
    return slot * this.#stride + headerBytes;
  }

  /** Says how long the frame of a slot is and which mark it carries; offload of an earlier frame is forgotten. */
  describe(slot: number, frameBytes: number, mark: number): void {
    if (frameBytes > this.frameBytesMax) assert(false, "frame longer than its slot", { slot, frameBytes });
    const header = this.#header(slot);
    // By hand: `fill` is a call out of compiled code, dearer than ten stores, and most of all when nobody has called it for long.
    for (let at = header; at < header + vnetHeaderBytes; at++) this.bytes[at] = 0;
    this.#vectors[slot * 4 + 2] = vnetHeaderBytes + frameBytes;
    this.#controls[slot * 6 + 4] = mark;
  }

  /**
   * Has the kernel complete a checksum: over the bytes from `start` of the frame to its end, stored at `start +
   * offset`,
   * where the pseudo-header's sum must stand already.
   */
  completeChecksum(slot: number, start: number, offset: number): void {
    const header = this.#header(slot);
    this.bytes[header] = needsChecksum;
    this.#view.setUint16(header + 6, start, true);
    this.#view.setUint16(header + 8, offset, true);
  }

  /**
   * Has the frame cut into segments of `segmentBytes` of payload; `type` from `gsoType`. Needs `completeChecksum`
   * too.
   */
  segment(slot: number, type: number, segmentBytes: number): void {
    const header = this.#header(slot);
    this.bytes[header + 1] = type;
    this.#view.setUint16(header + 4, segmentBytes, true);
  }

  /**
   * Sends slots `from` to `from + count - 1` in order. Returns how many the kernel took. Fewer than `count`: the frame
   * after them failed; flush again from it to learn why (0 is returned and `errno` set), then skip it. ENOBUFS
   * means that
   * a tc egress program (or a queue) dropped it: have such a program redirect or steal frames it does not want sent.
   */
  flush(from: number, count: number): number {
    this.errno = undefined;
    if (count === 0) return 0;
    const sent = this.#libc.sendmmsg(this.fd, this.#messagesAt[from] as number, count, 0);
    if (sent >= 0) return sent;
    this.errno = errnoName(this.#libc.errno());
    return 0;
  }

  /** Closes the socket. */
  close(): void {
    closeFd(this.fd);
  }

  #header(slot: number): number {
    return slot * this.#stride + headerBytes - vnetHeaderBytes;
  }

  // struct mmsghdr { msghdr { name, namelen, iov, iovlen, control, controllen, flags }, len } and what it points to.
  #link(): void {
    const view = new DataView(this.#messages.buffer);
    const vectors = addressOf(this.#vectors);
    const controls = addressOf(this.#controls);
    const bytes = addressOf(this.bytes);
    const vectorView = new DataView(this.#vectors.buffer);
    for (let slot = 0; slot < this.slots; slot++) {
      const message = slot * messageBytes;
      view.setBigUint64(message + 16, vectors + BigInt(slot * vectorBytes), true);
      view.setBigUint64(message + 24, 1n, true);
      view.setBigUint64(message + 32, controls + BigInt(slot * controlBytes), true);
      view.setBigUint64(message + 40, BigInt(controlBytes), true);
      vectorView.setBigUint64(slot * vectorBytes, bytes + BigInt(this.#header(slot)), true);
      // struct cmsghdr { len, level, type } and a 32-bit mark.
      this.#controls.set([20, 0, socketOption.level, socketOption.mark, 0, 0], slot * 6);
    }
  }
}
