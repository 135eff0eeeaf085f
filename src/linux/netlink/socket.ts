import { err, ok, type Result } from "../../base/result.ts";
import { type LinuxError, linuxError } from "../errno.ts";
import { closeFd } from "../fd.ts";
import { addressOf, allocate, checked, libc } from "../libc.ts";
import { netlinkBatchMax, netlinkReceiveBytes, netlinkSocketBytes } from "../limits.ts";
import { type Poll, pollFd } from "../poll.ts";
import { configured, openSocket, setSocketOption, socketFamily, socketOption, socketType } from "../socket.ts";
import type { ChunkBatch, NetlinkPort, Received } from "./port.ts";

/** How to open a netlink socket. */
export interface NetlinkSocketKind {
  /** One of `netlinkProtocol`. */
  readonly protocol: number;
  /** Waits in `receive` for at most this long; undefined = never waits. For set-up code. */
  readonly blockMs?: number;
  /** Notification groups to join (their numbers, not bits). */
  readonly groups?: readonly number[];
  /** Bytes of the receive buffer, beyond the system's limit. */
  readonly receiveBufferBytes?: number;
}

const netlinkLevel = 270;
const netlinkOption = { addMembership: 1, dropMembership: 2, capAck: 10, extAck: 11, strictCheck: 12 };
const addressBytes = 12;

/** An AF_NETLINK socket of the namespace in which it was opened. Its kernel's words come with errors (EXT_ACK). */
export class NetlinkSocket implements NetlinkPort {
  readonly fd: number;
  /** Where `receive` puts a datagram. */
  readonly buffer = allocate(netlinkReceiveBytes);
  readonly #from = allocate(addressBytes);
  readonly #fromView = new DataView(this.#from.buffer);
  readonly #fromLength = allocate(4);
  readonly #fromLengthView = new DataView(this.#fromLength.buffer);
  readonly #vectors = allocate(16 * netlinkBatchMax);
  readonly #vectorWords = new Uint32Array(this.#vectors.buffer);
  readonly #message = allocate(56);
  readonly #messageView = new DataView(this.#message.buffer);
  #memory: Uint8Array | undefined;
  #memoryAt = 0;
  readonly #libc = libc();

  private constructor(fd: number) {
    this.fd = fd;
    // struct msghdr: no address, the vectors, no control message.
    this.#messageView.setBigUint64(16, addressOf(this.#vectors), true);
  }

  /** Opens and binds a socket in the calling thread's namespace. */
  static open(kind: NetlinkSocketKind): Result<NetlinkSocket, LinuxError> {
    const { protocol, blockMs, groups = [], receiveBufferBytes = netlinkSocketBytes } = kind;
    const isBlocking = blockMs !== undefined;
    const opened = openSocket({ family: socketFamily.netlink, type: socketType.raw, protocol, isBlocking });
    if (!opened.ok) return opened;
    const fd = configured(opened.value, [
      { level: netlinkLevel, name: netlinkOption.capAck, value: 1 },
      { level: netlinkLevel, name: netlinkOption.extAck, value: 1 },
      { level: netlinkLevel, name: netlinkOption.strictCheck, value: 1 },
      { level: socketOption.level, name: socketOption.receiveBufferForce, value: receiveBufferBytes },
      { level: socketOption.level, name: socketOption.sendBufferForce, value: receiveBufferBytes },
    ]);
    if (!fd.ok) return fd;
    const ready = NetlinkSocket.#prepare(fd.value, { blockMs, groups });
    if (ready.ok) return ok(new NetlinkSocket(fd.value));
    closeFd(fd.value);
    return ready;
  }

  /** Joins a notification group. */
  join(group: number): Result<undefined, LinuxError> {
    return setSocketOption(this.fd, { level: netlinkLevel, name: netlinkOption.addMembership, value: group });
  }

  /** Leaves a notification group. */
  leave(group: number): Result<undefined, LinuxError> {
    return setSocketOption(this.fd, { level: netlinkLevel, name: netlinkOption.dropMembership, value: group });
  }

  /** Sends messages that stand one after the other, as one datagram. EAGAIN when the kernel has no room now. */
  send(bytes: Uint8Array): Result<number, LinuxError> {
    return checked("send to the kernel by netlink", this.#libc.send(this.fd, bytes, bytes.length, 0));
  }

  sendChunks(batch: ChunkBatch): Result<number, LinuxError> {
    const { memory, starts, lengths, count } = batch;
    if (this.#memory !== memory) {
      this.#memory = memory;
      this.#memoryAt = Number(addressOf(memory));
    }
    for (let i = 0; i < count; i++) {
      const at = this.#memoryAt + (starts[i] as number);
      this.#vectorWords[4 * i] = at % 0x1_0000_0000;
      this.#vectorWords[4 * i + 1] = Math.floor(at / 0x1_0000_0000);
      this.#vectorWords[4 * i + 2] = lengths[i] as number;
    }
    this.#messageView.setUint32(24, count, true);
    return checked("send to the kernel by netlink", this.#libc.sendmsg(this.fd, this.#message, 0));
  }

  watch(onReadable: () => void): Poll {
    return pollFd(this.fd, { readable: true }, onReadable);
  }

  /**
   * Reads one datagram. What a process sent, not the kernel, is dropped. A datagram cut for want of room is an
   * overrun.
   */
  receive(): Result<Received, LinuxError> {
    const truncated = 0x20;
    for (;;) {
      this.#fromLengthView.setUint32(0, addressBytes, true);
      const { buffer } = this;
      const length = this.#libc.recvfrom(this.fd, buffer, buffer.length, truncated, this.#from, this.#fromLength);
      if (length < 0) {
        const error = linuxError("receive from the kernel by netlink", this.#libc.errno());
        if (error.errno === "EINTR") continue;
        if (error.errno === "EAGAIN") return ok({ kind: "empty" });
        return error.errno === "ENOBUFS" ? ok({ kind: "overrun" }) : err(error);
      }
      if (this.#fromView.getUint32(4, true) !== 0) continue;
      return ok(length > buffer.length ? { kind: "overrun" } : { kind: "datagram", length });
    }
  }

  /** Closes the socket. */
  close(): void {
    closeFd(this.fd);
  }

  static #prepare(
    fd: number,
    { blockMs, groups }: { readonly blockMs: number | undefined; readonly groups: readonly number[] },
  ): Result<undefined, LinuxError> {
    if (blockMs !== undefined) {
      const time = allocate(16);
      const view = new DataView(time.buffer);
      view.setBigInt64(0, BigInt(Math.floor(blockMs / 1000)), true);
      view.setBigInt64(8, BigInt((blockMs % 1000) * 1000), true);
      const { level, receiveTimeout } = socketOption;
      const set = checked("setsockopt SO_RCVTIMEO", libc().setsockopt(fd, level, receiveTimeout, time, 16));
      if (!set.ok) return set;
    }
    const address = allocate(addressBytes);
    new DataView(address.buffer).setUint16(0, socketFamily.netlink, true);
    const bound = checked("bind of a netlink socket", libc().bind(fd, address, addressBytes));
    if (!bound.ok) return bound;
    for (const group of groups) {
      const joined = setSocketOption(fd, { level: netlinkLevel, name: netlinkOption.addMembership, value: group });
      if (!joined.ok) return joined;
    }
    return ok(undefined);
  }
}
