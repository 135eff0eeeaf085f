import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { closeFd, openFile, openFlags } from "./fd.ts";
import { allocate, checked, libc } from "./libc.ts";

const device = "/dev/cpu_dma_latency";
/** PM_QOS_CPU_LATENCY_DEFAULT_VALUE: as if there were no request. */
const anyUs = 2_000_000_000;

/**
 * A request to the kernel that no processor of this machine idles so deeply that waking it takes longer than so many microseconds
 * (Documentation/power/pm_qos_interface.rst). 0 means that idle processors look for work in a loop: nothing else needs to wake
 * them, and what runs takes the place of the loop at once. It costs power on all processors, and ends with its descriptor.
 */
export class WakeLatency {
  readonly #fd: number;
  readonly #value = allocate(4);
  readonly #view = new DataView(this.#value.buffer);
  readonly #libc = libc();

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens a request that asks for nothing yet. ENOENT: this kernel takes none; EACCES: it takes root. */
  static open(): Result<WakeLatency, LinuxError> {
    const fd = openFile(device, openFlags.readWrite);
    if (!fd.ok) return fd;
    const request = new WakeLatency(fd.value);
    // An open descriptor asks for 0 until something else was written, in kernels of old.
    const cleared = request.clear();
    if (cleared.ok) return ok(request);
    closeFd(fd.value);
    return cleared;
  }

  /** Asks for this many microseconds at most. It interrupts idle processors: not for every packet. */
  ask(us: number): Result<number, LinuxError> {
    this.#view.setInt32(0, us, true);
    return checked(`write to ${device}`, this.#libc.write(this.#fd, this.#value, this.#value.length));
  }

  /** Asks for nothing any more. */
  clear(): Result<number, LinuxError> {
    return this.ask(anyUs);
  }

  /** Ends the request. */
  close(): void {
    closeFd(this.#fd);
  }
}
