import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "../base/result.ts";
import { fileError, type LinuxError, linuxError } from "./errno.ts";
import { closeFd, openFile, openFlags, setNonBlocking } from "./fd.ts";
import { allocate, checked, libc, retried } from "./libc.ts";

const tunDevice = "/dev/net/tun";
// Documentation/admin-guide/devices.txt: character device 10, 200.
const tunDeviceNumber = (10 << 8) | 200;
const characterDevice = 0o20000 | 0o666;
const request = { setInterface: 0x400454ca, setPersist: 0x400454cb, setOffload: 0x400454d0 };
const flag = { tap: 0x0002, multiQueue: 0x0100, noPacketInformation: 0x1000, vnetHeader: 0x4000 };
const offload = { checksum: 1, tcp4: 2, tcp6: 4, tcpEcn: 8 };
const nameBytes = 16;

/** How to open a TAP: an Ethernet interface whose other end is a descriptor. */
export interface TapSettings {
  /** Up to 15 characters; a name with `%d` gets a number. An existing TAP of this name is opened. */
  readonly name: string;
  /** Each frame is preceded by a `virtio_net_hdr` of 10 bytes in both directions. */
  readonly hasVnetHeader?: boolean;
  /** Several descriptors may be opened, each a queue; all openers must say so. */
  readonly isMultiQueue?: boolean;
  /** Lets the kernel hand over frames with checksum and segmentation left undone; needs `hasVnetHeader`. */
  readonly takesOffload?: boolean;
}

/**
 * One queue of a TAP. The interface is in the namespace in which the queue was opened, and, unless it is made
 * persistent, it goes with its last descriptor. It has carrier while a descriptor is open.
 */
export class Tap {
  readonly fd: number;
  /** The interface's name as the kernel gave it. */
  readonly name: string;
  readonly #libc = libc();

  private constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
  }

  /** Opens or makes a TAP in the calling thread's namespace, non-blocking. EBUSY: another program has it open. */
  static open(settings: TapSettings): Result<Tap, LinuxError> {
    const ready = ensureTunDevice();
    if (!ready.ok) return ready;
    const fd = openFile(tunDevice, openFlags.readWrite);
    if (!fd.ok) return fd;
    const name = attach(fd.value, settings);
    if (name.ok) return ok(new Tap(fd.value, name.value));
    closeFd(fd.value);
    return name;
  }

  /** Keeps the interface when the last descriptor is closed, or no longer. */
  setPersistent(isPersistent: boolean): Result<undefined, LinuxError> {
    const done = this.#libc.ioctlNumber(this.fd, request.setPersist, isPersistent ? 1 : 0);
    const outcome = checked(`make ${this.name} persistent`, done);
    return outcome.ok ? ok(undefined) : outcome;
  }

  /** Takes a frame that the kernel sent out of the interface into `into`: its length, or -1 when none waits. */
  read(into: Uint8Array): number {
    return this.#libc.read(this.fd, into, into.length);
  }

  /**
   * Has a frame arrive at the interface; an error when the kernel did not take it (EIO while the interface is down).
   */
  write(frame: Uint8Array): Result<undefined, LinuxError> {
    const written = retried(`write to ${this.name}`, () => this.#libc.write(this.fd, frame, frame.length));
    return written.ok ? ok(undefined) : written;
  }

  /** Closes the descriptor. */
  close(): void {
    closeFd(this.fd);
  }
}

/** Makes `/dev/net/tun` when a minimal system lacks the node. */
export function ensureTunDevice(): Result<undefined, LinuxError> {
  if (existsSync(tunDevice)) return ok(undefined);
  try {
    mkdirSync(dirname(tunDevice), { recursive: true });
  } catch (cause) {
    return err(fileError(`make ${dirname(tunDevice)}`, cause));
  }
  const made = checked(`make ${tunDevice}`, libc().mknod(tunDevice, characterDevice, tunDeviceNumber));
  return made.ok ? ok(undefined) : made;
}

function attach(fd: number, settings: TapSettings): Result<string, LinuxError> {
  const { name, hasVnetHeader = false, isMultiQueue = false, takesOffload = false } = settings;
  const encoded = new TextEncoder().encode(name);
  if (encoded.length >= nameBytes) return err(linuxError(`open the TAP ${name}`, 36, "a name has at most 15 bytes"));
  const interfaceRequest = allocate(40);
  interfaceRequest.set(encoded);
  const flags =
    flag.tap | flag.noPacketInformation | (hasVnetHeader ? flag.vnetHeader : 0) | (isMultiQueue ? flag.multiQueue : 0);
  new DataView(interfaceRequest.buffer).setUint16(nameBytes, flags, true);
  const attached = checked(`open the TAP ${name}`, libc().ioctl(fd, request.setInterface, interfaceRequest));
  if (!attached.ok) return attached;
  const wanted = offload.checksum | offload.tcp4 | offload.tcp6 | offload.tcpEcn;
  const offloading = libc().ioctlNumber(fd, request.setOffload, takesOffload ? wanted : 0);
  const offloaded = checked(`set the offload of ${name}`, offloading);
  if (!offloaded.ok) return offloaded;
  const calm = setNonBlocking(fd);
  if (!calm.ok) return calm;
  return ok(new TextDecoder().decode(interfaceRequest.subarray(0, interfaceRequest.indexOf(0))));
}
