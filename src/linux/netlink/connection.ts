import { err, ok, type Result } from "../../base/result.ts";
import { type LinuxError, linuxError } from "../errno.ts";
import { allocate } from "../libc.ts";
import { netlinkDumpRetries, netlinkRequestBytes, netlinkSyncTimeoutMs } from "../limits.ts";
import type { Netns } from "../netns.ts";
import { isEnd, type MessageReader, readMessages } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";
import { netlinkControl, netlinkFlags, netlinkProtocol } from "./protocol.ts";
import type { Collector, NetlinkRequest } from "./request.ts";
import { NetlinkSocket } from "./socket.ts";

/**
 * Runs one request at a time and waits for its answer: for set-up code, tools and tests. It blocks the thread for as
 * long as the kernel needs (tens of microseconds; at most `netlinkSyncTimeoutMs`). A running agent uses the broker.
 */
export class NetlinkConnection {
  readonly #socket: NetlinkSocket;
  readonly #request = allocate(netlinkRequestBytes);
  #sequence = 0;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Opens a connection, in the calling thread's namespace or in the one given. Default protocol: rtnetlink. */
  static open(
    kind: { readonly protocol?: number; readonly netns?: Netns } = {},
  ): Result<NetlinkConnection, LinuxError> {
    const { protocol = netlinkProtocol.route, netns } = kind;
    const make = (): Result<NetlinkSocket, LinuxError> =>
      NetlinkSocket.open({ protocol, blockMs: netlinkSyncTimeoutMs });
    const socket = netns === undefined ? make() : netns.runResult(make);
    return socket.ok ? ok(new NetlinkConnection(socket.value)) : socket;
  }

  /** Runs a request. A dump that the kernel says was interrupted by changes is run again. */
  run<R>(request: NetlinkRequest<R>): Result<R, LinuxError> {
    for (let attempt = 0; ; attempt++) {
      const collector = request.collector();
      const answer = this.#once(request, collector);
      if (!answer.ok) return answer;
      if (answer.value === "consistent") return ok(collector.finish());
      if (attempt >= netlinkDumpRetries) return err(linuxError(request.name, 4, "the list changed at each reading"));
    }
  }

  /** Closes the socket. */
  close(): void {
    this.#socket.close();
  }

  #once<R>(request: NetlinkRequest<R>, collector: Collector<R>): Result<"consistent" | "interrupted", LinuxError> {
    const sequence = this.#nextSequence();
    const writer = new MessageWriter(this.#request);
    const flags = request.flags | netlinkFlags.request | netlinkFlags.ack;
    writer.begin({ type: request.type, flags, sequence });
    request.write(writer);
    const length = writer.finish();
    if (length === undefined) return err(linuxError(request.name, 90, `longer than ${netlinkRequestBytes} bytes`));
    const sent = this.#socket.send(this.#request.subarray(0, length));
    if (!sent.ok) return err(linuxError(request.name, sent.error.number));
    return this.#answer(request, sequence, collector);
  }

  #answer<R>(
    request: NetlinkRequest<R>,
    sequence: number,
    collector: Collector<R>,
  ): Result<"consistent" | "interrupted", LinuxError> {
    let isInterrupted = false;
    let ended: Result<undefined, LinuxError> | undefined;
    const onMessage = (message: MessageReader): void => {
      if (message.sequence !== sequence || ended !== undefined) return;
      if ((message.flags & netlinkFlags.dumpInterrupted) !== 0) isInterrupted = true;
      if (message.type === netlinkControl.noop) return;
      if (!isEnd(message)) {
        collector.add(message);
        return;
      }
      const { errno, detail } = message.acknowledgement();
      ended = errno === 0 ? ok(undefined) : err(linuxError(request.name, errno, detail));
    };
    while (ended === undefined) {
      const received = this.#socket.receive();
      if (!received.ok) return err(linuxError(request.name, received.error.number));
      if (received.value.kind === "empty") return err(linuxError(request.name, 110, "no answer from the kernel"));
      if (received.value.kind === "overrun") return err(linuxError(request.name, 105, "part of the answer was lost"));
      readMessages(this.#socket.buffer, received.value.length, onMessage);
    }
    const end: Result<undefined, LinuxError> = ended;
    return end.ok ? ok(isInterrupted ? "interrupted" : "consistent") : end;
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1;
    return this.#sequence;
  }
}
