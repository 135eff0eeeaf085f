import { err, ok, type Result } from "../../base/result.ts";
import { errnoNumber, type LinuxError, linuxError } from "../errno.ts";
import { netlinkAnswerMax } from "../limits.ts";
import type { Order, RequestBroker } from "./broker.ts";
import type { MessageReader } from "./message-reader.ts";
import { ValueStream } from "./value-stream.ts";

/** What one request brings, as a stream: what `read` makes of each message of its answer. */
export interface StreamedRequest<T> {
  readonly order: Order;
  /** Copies what it keeps; undefined leaves the message out. */
  readonly read: (message: MessageReader) => T | undefined;
}

/**
 * Submits a request and gives its answer piece by piece, for dumps too long to be gathered. A failure is the last
 * value;
 * so is EINTR when the list changed while it was read, and then it may have gaps. The kernel does not wait for a slow
 * reader: beyond `netlinkAnswerMax` pieces an `overrun` stands for those that were dropped.
 */
export function answerStream<T>(
  broker: RequestBroker,
  { order, read }: StreamedRequest<T>,
): ValueStream<Result<T, LinuxError>> {
  const stream = new ValueStream<Result<T, LinuxError>>(undefined, netlinkAnswerMax);
  const fail = (error: LinuxError): void => {
    stream.push(err(error));
    stream.end();
  };
  const submitted = broker.submit(order, {
    onMessage(message) {
      const value = read(message);
      if (value !== undefined) stream.push(ok(value));
    },
    onDone(isInterrupted) {
      if (isInterrupted) fail(linuxError(order.name, errnoNumber("EINTR"), "the list changed while it was read"));
      else stream.end();
    },
    onError: fail,
  });
  if (!submitted.ok) fail(submitted.error);
  return stream;
}
