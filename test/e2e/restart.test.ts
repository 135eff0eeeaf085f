import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { unwrap } from "../../src/base/result.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
const SERVER_PORT = 7_000;
/** One echo request each millisecond, for longer than any restart takes. */
const PROBES = 5_000;
const CONNECTIONS = 400;
const CONNECTIONS_PER_SECOND = 100;
/** A flood of pings goes on for longer than a takeover: some 50,000 frames a second, which meet what one in a millisecond misses. */
const FLOOD_S = 4;
/** First retransmission of a SYN (RFC 6298 2.1). */
const SYN_RETRANSMIT_MS = 1_000;

describe("an agent that is killed or replaced under traffic", { skip, timeout: 300_000 }, () => {
  let cloud: Cloud;
  let servers: readonly Process[];

  before(async () => {
    cloud = Cloud.build();
    await cloud.serve();
    // Filters that read ports: every connection is a new flow on both hosts.
    for (const name of ["vm3", "vm4"]) await readPorts(cloud, name);
    servers = ["vm2", "vm4"].map((name) => new Process(cloud, name, ["serve", String(SERVER_PORT)]));
    for (const server of servers) await server.begun;
    for (const [from, to] of [
      ["vm1", "vm2"],
      ["vm3", "vm4"],
      ["vm2", "vm1"],
    ] as const)
      await cloud.eventually(`${from} reaches ${to}`, () => cloud.pings(from, cloud.vm(to).v4));
  });

  after(async () => {
    for (const server of servers ?? []) await server.end();
    await cloud?.down();
  });

  for (const host of ["h1", "h2"]) {
    it(`kill -9 on ${host}: no packet of a warm flow, no connection, no SYN is lost`, async (t) => {
      await underTraffic(cloud, t, async () => {
        await cloud.kill(`agent-${host}`);
        await cloud.startAgent(host);
      });
    });
  }

  for (const host of ["h1", "h2"]) {
    it(`--takeover on ${host}: the old agent leaves and the new one goes on, nothing is lost`, async (t) => {
      const old = cloud.pid(`agent-${host}`);
      await underTraffic(cloud, t, () => cloud.startAgent(host, ["--takeover"]));
      await cloud.eventually("the old agent has ended", () => !isRunning(old));
      assert.match(cloud.log(`agent-${host}`), /"handed-over".*"agent\.takeover"/);
    });
  }

  for (const host of ["h1", "h2"]) {
    it(`--takeover on ${host} under a flood of frames: records of ports and peers are readable at any moment`, async (t) => {
      await cloud.introduce("vm1", "vm2");
      const unreadable = (): Promise<number> => droppedUnreadable(cloud);
      const before = await unreadable();
      const flood = cloud.run("vm1", `ping -f -q -w ${FLOOD_S} -l 8 ${cloud.vm("vm2").v4}`);
      await cloud.hasUsedFlow("h2", "vm2");
      await cloud.startAgent(host, ["--takeover"]);
      const { output } = await flood;
      t.diagnostic(output.split("\n").slice(-4).join(" "));
      assert.equal(await unreadable(), before);
    });
  }

  it("a worker that crashes ends its agent, which leaves everything to the next one", async (t) => {
    const old = cloud.pid("agent-h1");
    const script = fileURLToPath(new URL("./crash-worker.ts", import.meta.url));
    await underTraffic(cloud, t, async () => {
      process.kill(old, "SIGUSR1");
      await cloud.eventually("the worker is reached", async () => {
        const { code } = await cloud.run("h1", `${process.execPath} ${script}`);
        return code === 0;
      });
      await cloud.eventually("its agent has ended", () => !isRunning(old));
      await cloud.startAgent("h1");
    });
    assert.match(cloud.log("agent-h1"), /"a bug".*"worker\.crashed"/);
    assert.match(cloud.log("agent-h1"), /"agent\.failed"/);
  });

  it("nobody to take over from: --takeover is a plain start", async () => {
    await cloud.stop("agent-h2");
    await cloud.startAgent("h2", ["--takeover"]);
    assert.match(cloud.log("agent-h2"), /"nobody".*"agent\.takeover"/);
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", cloud.vm("vm2").v4));
  });

  it("an agent that does not answer is left alone, unless --takeover=force is given", async () => {
    const old = cloud.pid("agent-h2");
    await cloud.introduce("vm1", "vm2");
    const during = cloud.run("vm1", `ping -c 80 -i 0.1 -W 5 ${cloud.vm("vm2").v4}`);
    await cloud.hasUsedFlow("h2", "vm2");
    process.kill(old, "SIGSTOP");
    const { args, netns } = cloud.agentPlan("h2");
    const refused = cloud.launch({ name: "refused", main: "agent", netns, args: [...args, "--takeover"] });
    assert.equal(await refused.ended, "ended with 1");
    assert.match(cloud.log("refused"), new RegExp(`process ${old}, does not hand over .*--takeover=force`));
    assert.ok(isRunning(old));
    const { output } = await during;
    assert.match(output, / 0% packet loss/, "what it installed forwards");
    await cloud.startAgent("h2", ["--takeover=force"]);
    assert.match(cloud.log("agent-h2"), /"killed".*"agent\.takeover"/);
    assert.ok(!isRunning(old));
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", cloud.vm("vm2").v4));
  });
});

/** What a VM did not get because of `disturb`: it must be nothing. */
async function underTraffic(cloud: Cloud, t: TestContext, disturb: () => Promise<void>): Promise<void> {
  const stream = new Process(cloud, "vm1", ["stream", cloud.vm("vm2").v4, String(SERVER_PORT)]);
  await stream.begun;
  const probe = cloud.run("vm1", `ping -q -i 0.001 -c ${PROBES} -W 2 ${cloud.vm("vm2").v4}`);
  const target = [cloud.vm("vm4").v4, String(SERVER_PORT)];
  const connections = new Process(cloud, "vm3", [
    ...["connections", ...target],
    ...[String(CONNECTIONS_PER_SECOND), String(CONNECTIONS)],
  ]);
  await connections.begun;
  const begun = performance.now();
  await disturb();
  t.diagnostic(`served again after ${Math.round(performance.now() - begun)} ms`);
  const { answered, slowestMs, synRetransmits } = await connections.report();
  const { output } = await probe;
  const { error, longestMs } = await stream.end();
  t.diagnostic(`SYNs sent again ${synRetransmits}`);
  t.diagnostic(`slowest of ${CONNECTIONS} connections ${slowestMs} ms; longest gap of the transfer ${longestMs} ms`);
  t.diagnostic(output.split("\n").slice(-3).join(" "));
  const drops = await Promise.all(["h1", "h2"].map((host) => dropped(cloud, host)));
  t.diagnostic(`drops so far: ${drops.join("; ")}`);
  const why = `${output}\ndrops so far: ${drops.join("; ")}`;
  assert.match(output, new RegExp(`${PROBES} packets transmitted, ${PROBES} received`), why);
  assert.equal(error, "", "the transfer goes on");
  assert.equal(answered, CONNECTIONS);
  if (Number(slowestMs) < SYN_RETRANSMIT_MS) assert.equal(synRetransmits, 0);
}

/** What a host's programs have dropped, for the one who reads why a packet is missing. */
async function dropped(cloud: Cloud, host: string): Promise<string> {
  const counts = [...(await cloud.drops(host))].map(([reason, packets]) => `${reason} ${packets}`);
  return `${host}: ${counts.join(", ") || "none"}`;
}

/** Frames that both hosts dropped because a port's or a peer's record said that nothing may be sent there. */
async function droppedUnreadable(cloud: Cloud): Promise<number> {
  const drops = await Promise.all(["h1", "h2"].map((host) => cloud.drops(host)));
  return drops.reduce((sum, of) => sum + (of.get("vport-down") ?? 0) + (of.get("peer-down") ?? 0), 0);
}

type Report = Readonly<Record<string, number | string>>;

/** A process of tcp-traffic.ts in a VM. */
class Process {
  readonly begun: Promise<void>;
  readonly #child: ChildProcess;
  readonly #closed: Promise<string>;

  constructor(cloud: Cloud, name: string, args: readonly string[]) {
    const path = fileURLToPath(new URL("./tcp-traffic.ts", import.meta.url));
    const start = (): ChildProcess =>
      spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = unwrap(cloud.spaces.of(name).netns.run(start));
    let output = "";
    this.begun = new Promise((resolve) => {
      this.#child.stdout?.on("data", (data: Buffer) => {
        output += data.toString();
        if (output.includes("begun")) resolve();
      });
    });
    this.#closed = new Promise((resolve) => this.#child.once("close", () => resolve(output)));
  }

  /** What it has to say when it has ended by itself. */
  async report(): Promise<Report> {
    const last = (await this.#closed).trim().split("\n").at(-1) ?? "";
    return last.startsWith("{") ? (JSON.parse(last) as Report) : {};
  }

  end(): Promise<Report> {
    this.#child.kill("SIGTERM");
    return this.report();
  }
}

/** Gives a VM's port a filter that accepts everything and has to read ports for it. */
async function readPorts(cloud: Cloud, name: string): Promise<void> {
  const chain = unwrap(await cloud.client.create("chain", { name: `ports-${name}`, tenant: "lab" }));
  const condition = { protocol: 6, destinationPorts: { from: 9, to: 9 } };
  unwrap(await cloud.client.create("rule", { chainId: chain.id, condition, action: { type: "drop" } }));
  unwrap(await cloud.client.patch("port", cloud.vm(name).portId, { inboundFilterId: chain.id }));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
