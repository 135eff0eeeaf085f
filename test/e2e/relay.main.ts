/**
 * Makes servers of a namespace reachable from outside: each argument is `/path/of/a/socket=host:port`. Ends with its parent.
 */
import { connect, createServer, type Socket } from "node:net";
import { systemClock } from "../../src/base/clock.ts";
import { onStop } from "../../src/base/parent.ts";

onStop(systemClock, () => process.exit(0));

await Promise.all(process.argv.slice(2).map(listen));
process.stdout.write("listening to all\n");

function listen(argument: string): Promise<void> {
  const [, path = "", host = "", port = ""] = /^(.+)=(.+):(\d+)$/.exec(argument) ?? [];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host, port: Number(port), allowHalfOpen: true });
    join(near, far);
    join(far, near);
  });
  return new Promise((resolve) => server.listen(path, resolve));
}

function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroySoon());
}
