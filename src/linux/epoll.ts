import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type LinuxError, linuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { addressOf, allocate, checked, libc } from "./libc.ts";
import { epollEventsMax } from "./limits.ts";

const controlAdd = 1;
const controlDelete = 2;
const eventIn = 1;
const closeOnExec = 0o2000000;
// struct epoll_event is packed on x86-64 only.
const eventBytes = process.arch === "x64" ? 12 : 16;
const userOffset = process.arch === "x64" ? 4 : 8;

/**
 * Several descriptors behind one: a worker's rings and its eventfd. The set's own `fd` is readable while any of them
 * is, so one poll handle wakes for all. Level triggered.
 */
export class EpollSet {
  readonly fd: number;
  /** The descriptors found readable by the last `wait`, its first `n` entries. */
  readonly ready: Int32Array;
  readonly #events = allocate(eventBytes * epollEventsMax);
  readonly #eventsAt = Number(addressOf(this.#events));
  readonly #view = new DataView(this.#events.buffer);
  readonly #libc = libc();
  #isOpen = true;

  private constructor(fd: number) {
    this.fd = fd;
    this.ready = new Int32Array(epollEventsMax);
  }

  /** Makes an empty set. */
  static open(): Result<EpollSet, LinuxError> {
    const fd = checked("epoll_create1", libc().epoll_create1(closeOnExec));
    return fd.ok ? ok(new EpollSet(fd.value)) : fd;
  }

  /** Adds a descriptor, to be told when it is readable. */
  add(fd: number): Result<number, LinuxError> {
    this.#view.setUint32(0, eventIn, true);
    this.#view.setInt32(userOffset, fd, true);
    return checked(`epoll_ctl add ${fd}`, this.#libc.epoll_ctl(this.fd, controlAdd, fd, this.#events));
  }

  /** Takes a descriptor out; do it before closing the descriptor. */
  remove(fd: number): Result<number, LinuxError> {
    return checked(`epoll_ctl delete ${fd}`, this.#libc.epoll_ctl(this.fd, controlDelete, fd, this.#events));
  }

  /**
   * Looks which descriptors are readable, waiting at most `timeoutMs` (0 = not at all; a thread that blocks here gets
   * no messages and cannot be ended). Returns how many, listed in `ready`.
   */
  wait(timeoutMs: number): number {
    const count = this.#libc.epoll_wait(this.fd, this.#eventsAt, epollEventsMax, timeoutMs);
    if (count < 0) {
      assert(linuxError("epoll_wait", this.#libc.errno()).errno === "EINTR", "epoll_wait failed", { fd: this.fd });
      return 0;
    }
    for (let i = 0; i < count; i++) this.ready[i] = this.#view.getInt32(i * eventBytes + userOffset, true);
    return count;
  }

  /** Closes the set, not its members. */
  close(): Result<number, LinuxError> {
    if (!this.#isOpen) return err(linuxError("close of an epoll set", 9));
    this.#isOpen = false;
    return closeFd(this.fd);
  }
}
