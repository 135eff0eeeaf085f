import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "../linux/errno.ts";
import { addressOf, allocate, libc } from "../linux/libc.ts";
import type { Netns } from "../linux/netns.ts";
import { startSilently } from "../linux/silent-interface.ts";
import { Tap } from "../linux/tap.ts";

/** Names of wake devices; the kernel puts a number in. */
export const WAKE_DEVICES = "weft-wake%d";
/** Bytes read of a frame that woke us: it has been copied to the ring already. */
const GLANCE_BYTES = 16;

/**
 * A TAP to which the datapath sends the frame of an upcall whose worker sleeps, when it has been copied to the ring: the cheapest way
 * for a program to make a descriptor readable. It goes with its worker.
 */
export class WakeDevice {
  readonly fd: number;
  readonly ifindex: number;
  readonly #tap: Tap;
  readonly #glance = allocate(GLANCE_BYTES);
  readonly #glanceAt = Number(addressOf(this.#glance));
  readonly #libc = libc();

  private constructor(tap: Tap, ifindex: number) {
    this.#tap = tap;
    this.fd = tap.fd;
    this.ifindex = ifindex;
  }

  /** Makes one in the host's namespace. */
  static open(netns: Netns | undefined): Result<WakeDevice, LinuxError> {
    const open = (): Result<WakeDevice, LinuxError> => {
      const tap = Tap.open({ name: WAKE_DEVICES });
      if (!tap.ok) return tap;
      const ifindex = startSilently(tap.value.name);
      if (ifindex.ok) return ok(new WakeDevice(tap.value, ifindex.value));
      tap.value.close();
      return ifindex;
    };
    return netns === undefined ? open() : netns.runResult(open);
  }

  /** Takes one frame away, so that the descriptor tells of the next. */
  take(): void {
    this.#libc.readTo(this.fd, this.#glanceAt, GLANCE_BYTES);
  }

  /** Removes the device. */
  close(): void {
    this.#tap.close();
  }
}
