import type { Duration } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { zookeeperLimits } from "./limits.ts";
import { parseServer } from "./servers.ts";
import { type Dial, socketDial, type TlsOptions } from "./transport.ts";

/** What one server says of itself. */
export interface ServerStatus {
  /** leader, follower, observer, standalone. */
  readonly mode: string;
  /** Last transaction, in hexadecimal. */
  readonly zxid: string;
  readonly connections: string;
  readonly nodes: string;
}

/** How a server is asked. */
export interface AskOptions {
  readonly scheduler: Scheduler;
  readonly tls?: TlsOptions | undefined;
  readonly dial?: Dial;
  /** How long it may take, in milliseconds. */
  readonly withinMs?: Duration;
}

/** Asks one server by the word `srvr`, which servers answer unless they were told not to. The error is what came instead. */
export async function askServer(server: string, options: AskOptions): Promise<Result<ServerStatus, string>> {
  const address = parseServer(server);
  if (!address.ok) return err(address.error);
  const { scheduler, withinMs = zookeeperLimits.statusWithinMs } = options;
  const dial = options.dial ?? socketDial(options.tls);
  const text = await new Promise<string>((resolve) => {
    let answer = "";
    const settle = (why: string): void => {
      timer.cancel();
      transport.close();
      resolve(answer === "" ? `no answer: ${why}` : answer);
    };
    const timer = scheduler.after(withinMs, () => settle(`nothing within ${withinMs} ms`));
    const transport = dial(address.value, {
      onOpen: () => transport.write(new TextEncoder().encode("srvr")),
      onBytes: (bytes) => {
        if (answer.length < zookeeperLimits.statusTextMax) answer += new TextDecoder().decode(bytes);
      },
      onClosed: (why) => settle(why),
    });
  });
  return parseStatus(text);
}

/** Reads an answer to `srvr`. */
export function parseStatus(text: string): Result<ServerStatus, string> {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
  const mode = field("Mode");
  if (mode === undefined) return err(text.split("\n", 1)[0] ?? "no answer");
  const [zxid = "?", connections = "?", nodes = "?"] = ["Zxid", "Connections", "Node count"].map(field);
  return ok({ mode, zxid, connections, nodes });
}
