import { systemScheduler } from "../base/scheduler.ts";
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

/**
 * Tells of a descriptor that became readable or writable; level triggered: it comes again while that is true. A
 * descriptor in error (a netlink socket that overran, an interface that went down) counts as readable: the listener
 * reads until there is nothing more, which takes the error away.
 */
export type PollListener = (readable: boolean, writable: boolean) => void;

interface Events {
  readonly readable: boolean;
  readonly writable: boolean;
}

// What koffi 3.3.4 really calls; its type declaration leaves the status out.
type KoffiListener = (status: number, events: Events) => void;

// koffi's PollHandle stops without a word when it is collected: every open one is held here.
const open = new Set<object>();

/**
 * Watches any pollable descriptor (socket, eventfd, epoll set, BPF ring) from Node's event loop. A worker thread that watches ends
 * by itself, after `close`: one that is terminated, or exits, while its listener is called takes the process with it (koffi cannot
 * report that the call was cut short, and gives up).
 */
export function pollFd(fd: number, interest: PollInterest, listener: PollListener): Poll {
  let wanted = interest;
  const isIdle = (): boolean => wanted.readable !== true && wanted.writable !== true;
  const onEvents: KoffiListener = (status, events) => {
    if (!open.has(handle)) return;
    if (status === 0) {
      tell(listener, events);
      return;
    }
    tell(listener, { readable: true, writable: false });
    // libuv stops a handle whose descriptor is in error.
    if (open.has(handle) && !isIdle()) handle.start(wanted, callback);
  };
  const callback = onEvents as unknown as (events: Events) => void;
  const handle = libc().koffi.node.poll(fd, interest, callback);
  open.add(handle);
  return {
    set(next) {
      if (!open.has(handle)) return;
      wanted = next;
      if (isIdle()) handle.stop();
      else handle.start(next, callback);
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

/** What a listener throws is a bug, and nobody's to catch: koffi would keep it until something else happens, or lose it. */
function tell(listener: PollListener, { readable, writable }: Events): void {
  try {
    listener(readable, writable);
  } catch (thrown) {
    systemScheduler.soon(() => {
      throw thrown;
    });
  }
}
