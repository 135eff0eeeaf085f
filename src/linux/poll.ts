import { libc } from "./libc.ts";

/** What to be told of: bytes to read, room to write, or the other side gone. */
export interface PollInterest {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** A descriptor watched by Node's event loop. */
export interface Poll {
  /** Changes what is waited for; an empty interest stops the watch until the next `set`. */
  set(interest: PollInterest): void;
  /** Lets the process end while this watch is the only thing left (or not). */
  setKeepsProcessAlive(isKept: boolean): void;
  /** Ends the watch. The descriptor stays open and is the caller's to close, after this. */
  close(): void;
}

/** Tells of a descriptor that became readable or writable; level triggered: it comes again while that is true. */
export type PollListener = (readable: boolean, writable: boolean) => void;

// koffi's PollHandle stops without a word when it is collected: every open one is held here.
const open = new Set<object>();

/** Watches any pollable descriptor (socket, eventfd, epoll set, BPF ring) from Node's event loop. */
export function pollFd(fd: number, interest: PollInterest, listener: PollListener): Poll {
  const onEvents = (events: { readable: boolean; writable: boolean }): void => {
    if (open.has(handle)) listener(events.readable, events.writable);
  };
  const handle = libc().koffi.node.poll(fd, interest, onEvents);
  open.add(handle);
  return {
    set(next) {
      if (!open.has(handle)) return;
      const isIdle = next.readable !== true && next.writable !== true;
      if (isIdle) handle.stop();
      else handle.start(next, onEvents);
    },
    setKeepsProcessAlive(isKept) {
      if (!open.has(handle)) return;
      if (isKept) handle.ref();
      else handle.unref();
    },
    close() {
      if (open.delete(handle)) handle.close();
    },
  };
}
