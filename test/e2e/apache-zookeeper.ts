import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unwrap } from "../../src/base/result.ts";
import type { Netns } from "../../src/linux/netns.ts";
import { apacheClassPath } from "./apache-jars.ts";
import { leaderOf, servesAgain } from "./apache-roles.ts";

/** Where servers run and listen, and how much memory each has; by default on loopback, with little. */
export interface ApachePlace {
  readonly netns?: Netns;
  /** Address for clients. Servers speak to each other on loopback. */
  readonly host?: string;
  /** Options of the Java machine. */
  readonly java?: readonly string[];
}

const loopback = "127.0.0.1";
/** Small and quick to start. */
export const smallJava = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** One server of Apache ZooKeeper: alone, or a member of an ensemble. */
export class ApacheServer {
  readonly address: string;
  readonly #folder: string;
  readonly #main: string;
  readonly #place: ApachePlace;
  #process: ChildProcess | undefined;

  constructor(folder: string, port: number, how: { readonly main: string; readonly place: ApachePlace }) {
    this.address = `${how.place.host ?? loopback}:${port}`;
    this.#folder = folder;
    this.#main = how.main;
    this.#place = how.place;
  }

  /** The server's process, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What the server wrote. */
  get log(): string {
    return readFileSync(join(this.#folder, "log"), "utf8");
  }

  /** Starts it; a client finds out when it serves. */
  start(): void {
    const { netns, java: options = smallJava } = this.#place;
    const settings = {
      "zookeeper.admin.enableServer": "false",
      "zookeeper.4lw.commands.whitelist": "*",
      "zookeeper.extendedTypesEnabled": "true",
      "znode.container.checkIntervalMs": "100",
      "logback.configurationFile": join(this.#folder, "logback.xml"),
    };
    const properties = Object.entries(settings).map(([key, value]) => `-D${key}=${value}`);
    const command = [...options, ...properties, "-cp", `${apacheClassPath()}:${this.#folder}`, this.#main];
    // A shell would be one process too many to kill: the log is written through an inherited descriptor.
    const run = (): ChildProcess =>
      spawn("java", [...command, join(this.#folder, "zoo.cfg")], { stdio: ["ignore", "pipe", "pipe"] });
    const child = netns === undefined ? run() : unwrap(netns.run(run));
    const write = (text: Buffer): void => writeFileSync(join(this.#folder, "log"), text, { flag: "a" });
    child.stdout?.on("data", write);
    child.stderr?.on("data", write);
    this.#process = child;
    process.on("exit", () => child.kill("SIGKILL"));
  }

  /** Sends a signal and waits for the end: TERM, or KILL for a crash. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
  }

  /** Stops the process where it stands (STOP), or lets it go on (CONT): a server that accepts and never answers. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }
}

/** Several servers that were made together. */
export interface ApacheEnsemble {
  readonly servers: readonly ApacheServer[];
  readonly addresses: readonly string[];
  /** Stops all and removes what they wrote. */
  stop(): Promise<void>;
}

/** Makes and starts one server, or an ensemble of several. `settings` are further lines of zoo.cfg. */
export async function startApache(
  count = 1,
  settings: readonly string[] = [],
  place: ApachePlace = {},
): Promise<ApacheEnsemble> {
  const root = mkdtempSync(join(tmpdir(), "weft-zookeeper-"));
  const ports = await freePorts(count * 3);
  const members = Array.from({ length: count }, (_, i) => ports.slice(i * 3, i * 3 + 3));
  const quorum = members.map(([, peer, election], i) => `server.${i + 1}=127.0.0.1:${peer}:${election}`);
  const servers = members.map(([port = 0], i) => {
    const folder = join(root, String(i + 1));
    mkdirSync(join(folder, "data"), { recursive: true });
    writeFileSync(join(folder, "data", "myid"), `${i + 1}\n`);
    writeFileSync(join(folder, "logback.xml"), logback);
    const more = count === 1 ? settings : [...quorum, ...settings];
    writeFileSync(join(folder, "zoo.cfg"), config({ folder, host: place.host ?? loopback, port, more }));
    writeFileSync(join(folder, "log"), "");
    const main = count === 1 ? "ZooKeeperServerMain" : "quorum.QuorumPeerMain";
    return new ApacheServer(folder, port, { main: `org.apache.zookeeper.server.${main}`, place });
  });
  for (const server of servers) server.start();
  return {
    servers,
    addresses: servers.map(({ address }) => address),
    async stop() {
      await Promise.all(servers.map((server) => server.stop("SIGKILL")));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Kills the leader, waits for the next one, and starts the killed server again. */
export async function replaceLeader({ servers }: ApacheEnsemble): Promise<void> {
  const leader = await leaderOf(servers);
  await leader.stop("SIGKILL");
  await leaderOf(servers.filter((server) => server !== leader));
  leader.start();
  await servesAgain(leader);
}

const logback = `<configuration><appender name="C" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d %-5level %logger{0} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="C"/></root></configuration>`;

interface ServerConfig {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly more: readonly string[];
}

function config({ folder, host, port, more }: ServerConfig): string {
  return `tickTime=500
initLimit=20
syncLimit=10
dataDir=${join(folder, "data")}
clientPort=${port}
clientPortAddress=${host}
maxClientCnxns=0
minSessionTimeout=4000
maxSessionTimeout=40000
${more.join("\n")}
`;
}

/** Ports of loopback that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
