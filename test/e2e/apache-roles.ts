import { connect } from "node:net";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { parseServer } from "../../src/zookeeper/servers.ts";

/** A server's part in its ensemble. */
export type ApacheRole = "leader" | "follower" | "standalone";

/** Whatever listens where a server can be asked. */
export interface Reachable {
  /** `host:port` or `unix:/path`. */
  readonly address: string;
}

const answerWithinMs = 1_000;
const askEveryMs = 5;

/** The answer of a server to a four-letter word; empty when it cannot be reached or has nothing to say. */
export function fourLetterWord({ address }: Reachable, word: string): Promise<string> {
  const where = unwrap(parseServer(address));
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ ...where }, () => socket.write(word));
    socket.setTimeout(answerWithinMs, () => socket.destroy());
    socket.on("data", (bytes) => (text += bytes.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

/** What a server says of its part; undefined while it is down or there is no quorum. */
export async function roleOf(server: Reachable): Promise<ApacheRole | undefined> {
  return /^Mode: (\w+)$/m.exec(await fourLetterWord(server, "srvr"))?.[1] as ApacheRole | undefined;
}

/** Asks until one of these servers leads, and gives it. */
export async function leaderOf<Server extends Reachable>(servers: readonly Server[]): Promise<Server> {
  for (;;) {
    const roles = await Promise.all(servers.map(roleOf));
    const leader = servers[roles.indexOf("leader")];
    if (leader !== undefined) return leader;
    await sleep(systemScheduler, askEveryMs);
  }
}

/** Asks until a server has a part in its ensemble. */
export async function servesAgain(server: Reachable): Promise<void> {
  while ((await roleOf(server)) === undefined) await sleep(systemScheduler, askEveryMs);
}
