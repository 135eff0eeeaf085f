import { assert } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { errnoName, type LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { addressOf, allocate, libc } from "./libc.ts";
import { packetSlotBytes } from "./limits.ts";
import { allProtocols, openPacketSocket, setPromiscuous, vnetHeaderBytes } from "./packet-socket.ts";

/** A frame as an interface saw it. */
export interface ReceivedFrame {
  /** The bytes without an outer VLAN tag, copied. */
  readonly bytes: Uint8Array;
  /** The outer tag that the kernel took out of the bytes: its TPID (0x8100) and TCI. */
  readonly vlan: { readonly tpid: number; readonly tci: number } | undefined;
  /** The frame's length before it was cut to the room of the receiver. */
  readonly frameBytes: number;
  /** True when the sender left the checksum to the device: it is only the pseudo-header's sum. */
  readonly isChecksumPartial: boolean;
  /** Payload bytes of a segment when the frame is to be cut up, else 0. */
  readonly gsoSize: number;
  readonly gsoType: number;
  /** True when this machine sent the frame out of the interface, false when it came in. */
  readonly isOutgoing: boolean;
}

const messageBytes = 56;
const auxdataLevel = 263;
const auxdataType = 8;
const vlanValid = 0x10;
const vlanTpidValid = 0x40;
const outgoing = 4;

/**
 * Receives whole frames from one interface, one at a time, for tests and the lab (about 1.5 µs each).
 * It sees what tc ingress sees before it, and outgoing frames after tc egress.
 */
export class PacketReceiver {
  readonly fd: number;
  readonly #bytes = allocate(vnetHeaderBytes + packetSlotBytes);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #control = allocate(64);
  readonly #controlView = new DataView(this.#control.buffer);
  readonly #address = allocate(20);
  readonly #vector = allocate(16);
  readonly #message = allocate(messageBytes);
  readonly #messageView = new DataView(this.#message.buffer);
  readonly #libc = libc();

  private constructor(fd: number) {
    this.fd = fd;
    const vector = new DataView(this.#vector.buffer);
    vector.setBigUint64(0, addressOf(this.#bytes), true);
    vector.setBigUint64(8, BigInt(this.#bytes.length), true);
    this.#messageView.setBigUint64(0, addressOf(this.#address), true);
    this.#messageView.setBigUint64(16, addressOf(this.#vector), true);
    this.#messageView.setBigUint64(24, 1n, true);
    this.#messageView.setBigUint64(32, addressOf(this.#control), true);
  }

  /** Opens a promiscuous receiver of every protocol on an interface of the calling thread's namespace. */
  static open(ifindex: number): Result<PacketReceiver, LinuxError> {
    const receiveBufferBytes = 4 * 1024 * 1024;
    const kind = { ifindex, protocol: allProtocols, hasVnetHeader: true, hasAuxdata: true, receiveBufferBytes };
    const fd = openPacketSocket(kind);
    if (!fd.ok) return fd;
    const promiscuous = setPromiscuous(fd.value, ifindex);
    if (promiscuous.ok) return ok(new PacketReceiver(fd.value));
    closeFd(fd.value);
    return promiscuous;
  }

  /** The next frame, or undefined when none waits. ENETDOWN (the interface went down) counts as none. */
  receive(): ReceivedFrame | undefined {
    const truncated = 0x20;
    this.#messageView.setUint32(8, this.#address.length, true);
    this.#messageView.setBigUint64(40, BigInt(this.#control.length), true);
    const length = this.#libc.recvmsg(this.fd, this.#message, truncated);
    if (length < 0) {
      const errno = errnoName(this.#libc.errno());
      assert(errno === "EAGAIN" || errno === "ENETDOWN" || errno === "EINTR", "recvmsg failed", { errno });
      return undefined;
    }
    return this.#frame(length);
  }

  /** All frames that wait. */
  receiveAll(): readonly ReceivedFrame[] {
    const frames: ReceivedFrame[] = [];
    for (let frame = this.receive(); frame !== undefined; frame = this.receive()) frames.push(frame);
    return frames;
  }

  /** Closes the socket. */
  close(): void {
    closeFd(this.fd);
  }

  #frame(length: number): ReceivedFrame {
    const end = Math.min(length, this.#bytes.length);
    return {
      bytes: this.#bytes.slice(vnetHeaderBytes, end),
      vlan: this.#vlan(),
      frameBytes: length - vnetHeaderBytes,
      isChecksumPartial: ((this.#bytes[0] as number) & 1) !== 0,
      gsoType: this.#bytes[1] as number,
      gsoSize: this.#view.getUint16(4, true),
      isOutgoing: this.#address[10] === outgoing,
    };
  }

  // struct cmsghdr and tpacket_auxdata { status, len, snaplen, mac, net, vlan_tci, vlan_tpid }.
  #vlan(): ReceivedFrame["vlan"] {
    const view = this.#controlView;
    const filled = Number(this.#messageView.getBigUint64(40, true));
    if (filled < 36 || view.getUint32(8, true) !== auxdataLevel || view.getUint32(12, true) !== auxdataType) {
      return undefined;
    }
    const status = view.getUint32(16, true);
    if ((status & vlanValid) === 0) return undefined;
    const tpid = (status & vlanTpidValid) === 0 ? 0x8100 : view.getUint16(34, true);
    return { tpid, tci: view.getUint16(32, true) };
  }
}
