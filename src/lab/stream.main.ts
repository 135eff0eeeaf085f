import { connect, createServer } from "node:net";
import { systemClock } from "../base/clock.ts";

/**
 * One TCP stream, for machines without iperf3.
 * `serve PORT` takes one connection, counts, and answers the count at its end; `send ADDRESS PORT SECONDS` fills it for so
 * long and prints what arrived, in bits a second.
 */
const [role, ...rest] = process.argv.slice(2);
if (role === "serve") serve(Number(rest[0]));
else send({ address: rest[0] ?? "", port: Number(rest[1]), seconds: Number(rest[2]) });

function serve(port: number): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.on("end", () => socket.end(`${bytes}`));
    server.close();
  });
  server.listen(port, "::");
}

interface Sending {
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
}

function send({ address, port, seconds }: Sending): void {
  const block = Buffer.alloc(128 * 1024);
  const socket = connect({ host: address, port });
  let answer = "";
  let begun = 0;
  const fill = (): void => {
    while (systemClock.now() - begun < seconds * 1_000) {
      if (!socket.write(block)) return;
    }
    socket.off("drain", fill);
    socket.end();
  };
  socket.once("connect", () => {
    begun = systemClock.now();
    socket.on("drain", fill);
    fill();
  });
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.once("close", () => {
    const bits = (Number(answer) * 8_000) / (systemClock.now() - begun);
    if (answer !== "") console.log(Math.round(bits));
  });
  socket.once("error", (error) => {
    console.log(error.message.includes("ECONNREFUSED") ? "refused" : error.message);
  });
}
