import type { MessageReader } from "./message-reader.ts";
import type { MessageWriter } from "./message-writer.ts";

/** Gathers the answers to one request into its result. */
export interface Collector<R> {
  /** One message of the answer; it must copy what it keeps. Acknowledgements do not come here. */
  add(message: MessageReader): void;
  /** The result, after the kernel said that it is done. */
  finish(): R;
}

/**
 * A question or an order to the kernel, as a value: nothing happens until a connection or a broker runs it, as often
 * as wanted. `name` begins the sentence of its errors (`create veth a`).
 */
export interface NetlinkRequest<R> {
  readonly name: string;
  readonly type: number;
  /** Header flags beside REQUEST and ACK, which whoever runs it adds as needed. */
  readonly flags: number;
  /** Writes the family's header and the attributes. */
  readonly write: (writer: MessageWriter) => void;
  readonly collector: () => Collector<R>;
}

const nothing: Collector<undefined> = { add: () => undefined, finish: () => undefined };

/** The collector of an order: success is all there is to know. */
export function collectNothing(): Collector<undefined> {
  return nothing;
}

/** Collects what `read` makes of each message; messages of which it makes nothing are left out. */
export function collectAll<T>(read: (message: MessageReader) => T | undefined): () => Collector<readonly T[]> {
  return () => {
    const found: T[] = [];
    return {
      add(message) {
        const value = read(message);
        if (value !== undefined) found.push(value);
      },
      finish: () => found,
    };
  };
}

/** Collects the last message that `read` understands. */
export function collectOne<T>(read: (message: MessageReader) => T | undefined): () => Collector<T | undefined> {
  return () => {
    let found: T | undefined;
    return {
      add(message) {
        found = read(message) ?? found;
      },
      finish: () => found,
    };
  };
}
