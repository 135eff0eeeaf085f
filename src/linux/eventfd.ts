import { assert } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { type Errno, errnoName, type LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { allocate, checked, libc } from "./libc.ts";

const nonBlockingCloseOnExec = 0o4000 | 0o2000000;

/**
 * A counter that another thread adds to and whose descriptor is readable while it is above zero (eventfd(2)):
 * the wake-up of a thread that waits in its event loop. The number of kicks between two drains does not matter.
 */
export class EventFd {
  readonly fd: number;
  readonly #word = allocate(8);
  readonly #value = new BigUint64Array(this.#word.buffer);
  readonly #libc = libc();

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Makes one, not set. */
  static open(): Result<EventFd, LinuxError> {
    const fd = checked("eventfd", libc().eventfd(0, nonBlockingCloseOnExec));
    return fd.ok ? ok(new EventFd(fd.value)) : fd;
  }

  /** The same counter on another thread of this process, which got the number of the descriptor. */
  static attach(fd: number): EventFd {
    return new EventFd(fd);
  }

  /** Wakes the reader. */
  kick(): void {
    this.#value[0] = 1n;
    const written = this.#libc.write(this.fd, this.#word, 8);
    // A counter that is full stays readable: the reader wakes all the same.
    if (written !== 8) this.#expect("EAGAIN");
  }

  /** Takes all kicks; true when there was one. */
  drain(): boolean {
    if (this.#libc.read(this.fd, this.#word, 8) === 8) return true;
    this.#expect("EAGAIN");
    return false;
  }

  /** Closes the descriptor; once per counter, not once per thread. */
  close(): void {
    closeFd(this.fd);
  }

  #expect(errno: Errno): void {
    const found = errnoName(this.#libc.errno());
    assert(found === errno, "eventfd failed", { fd: this.fd, found });
  }
}
