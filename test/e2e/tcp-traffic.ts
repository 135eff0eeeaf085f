import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";

/**
 * TCP traffic from inside a VM, as a process of its own in the VM's namespace. It prints a line when it has begun and one line of JSON
 * at its end.
 *
 *   serve PORT                            echoes everything to everybody
 *   connections ADDRESS PORT RATE COUNT   so many connections, RATE a second, each with one byte and its echo
 *   stream ADDRESS PORT                   one connection that sends and receives 100 Mbit/s until SIGTERM
 */
const [verb, ...words] = process.argv.slice(2);
const CHUNK = 64 * 1024;
/** Between two chunks of a stream: at full speed it would leave an agent no processor to start on. */
const CHUNK_PAUSE_MS = 4;
const PATIENCE_MS = 20_000;

switch (verb) {
  case "serve":
    serve(Number(words[0]));
    break;
  case "connections":
    await connections({ host: words[0] ?? "", port: Number(words[1]) }, Number(words[2]), Number(words[3]));
    break;
  case "stream":
    stream({ host: words[0] ?? "", port: Number(words[1]) });
    break;
  default:
    throw new Error(`no verb ${verb}`);
}

interface Place {
  readonly host: string;
  readonly port: number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function serve(port: number): void {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen({ port, host: "0.0.0.0", backlog: 1024 }, () => say("begun"));
}

async function connections(to: Place, rate: number, count: number): Promise<void> {
  const { clock } = systemScheduler;
  const before = synRetransmits();
  const begun = clock.now();
  const outcomes: Promise<number>[] = [];
  for (let i = 0; i < count; i++) {
    await sleep(systemScheduler, Math.max(0, begun + (i * 1_000) / rate - clock.now()));
    const one = connection(to);
    outcomes.push(one);
    if (i === 0) void one.then(() => say("begun"));
  }
  const times = await Promise.all(outcomes);
  const answered = times.filter((time) => time >= 0);
  say(
    JSON.stringify({
      answered: answered.length,
      slowestMs: Math.round(Math.max(...answered)),
      synRetransmits: synRetransmits() - before,
    }),
  );
}

/** Milliseconds from SYN to echo, or -1. */
function connection(to: Place): Promise<number> {
  const { clock } = systemScheduler;
  const begun = clock.now();
  return new Promise((resolve) => {
    const socket = connect(to, () => socket.write("x"));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.once("data", () => {
      resolve(clock.now() - begun);
      socket.end();
    });
    socket.once("error", () => resolve(-1));
    socket.once("close", () => resolve(-1));
  });
}

function stream(to: Place): void {
  const { clock } = systemScheduler;
  const chunk = Buffer.alloc(CHUNK, 7);
  let bytes = 0;
  let at = clock.now();
  let longestMs = 0;
  let error = "";
  const end = (): void => {
    say(JSON.stringify({ bytes, longestMs: Math.round(longestMs), error }));
    process.exit(0);
  };
  const socket = connect(to, () => {
    say("begun");
    socket.write(chunk);
  });
  socket.on("data", (data) => {
    bytes += data.length;
    longestMs = Math.max(longestMs, clock.now() - at);
    at = clock.now();
    if (bytes % CHUNK === 0) systemScheduler.after(CHUNK_PAUSE_MS, () => socket.write(chunk));
  });
  socket.once("error", (failure) => {
    error = failure.message;
    end();
  });
  socket.once("close", () => {
    error ||= "closed";
    end();
  });
  process.once("SIGTERM", end);
}

/** SYNs and SYN-ACKs that this namespace has sent again, of /proc/net/netstat. */
function synRetransmits(): number {
  const [names = "", values = ""] = readFileSync("/proc/self/net/netstat", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"));
  const at = names.split(" ").indexOf("TCPSynRetrans");
  return Number(values.split(" ")[at]);
}
