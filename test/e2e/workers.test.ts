import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { BUCKETS_PER_SHARD } from "../../src/ebpf/limits.ts";
import { BUCKET_WAYS } from "../../src/flow/layout.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
/** Connections, each a 5-tuple of its own: enough to meet every one of the shards in all likelihood, 16 · (15/16)^96 = 0.03. */
const CONNECTIONS = 96;
const PORT = 7_000;

/** Answers every connection with one byte. */
const server = `require("node:net").createServer((s) => s.end("x")).listen(${PORT}, "0.0.0.0", () => console.log("ready"))`;
/** Connects often, one after the other, and prints how many were answered. */
const client = (address: string): string => `
const { connect } = require("node:net");
const once = () => new Promise((done) => {
  const socket = connect(${PORT}, "${address}");
  socket.once("data", () => done(true)).once("error", () => done(false));
});
(async () => { let n = 0; for (let i = 0; i < ${CONNECTIONS}; i++) n += await once(); console.log("answered " + n); })();`;

describe("several simulation workers in each agent", { skip, timeout: 120_000 }, () => {
  let cloud: Cloud;

  before(async () => {
    cloud = Cloud.build({ h1: ["--workers", "3"], h2: ["--workers", "2"] });
    await cloud.serve();
  });

  after(async () => {
    await cloud?.down();
  });

  it("connections are dealt to all of them, and all are answered", async () => {
    const listening = cloud.run("vm4", `timeout 60 ${process.execPath} -e '${server}'`);
    await cloud.eventually("vm4 serves", async () => /LISTEN/.test((await cloud.run("vm4", "ss -Htln")).output));
    const { output } = await connectAll(cloud);
    assert.match(output, new RegExp(`answered ${CONNECTIONS}\\b`));
    await cloud.run("vm4", `kill $(ss -Htlnp 'sport = :${PORT}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')`);
    await listening;
    assert.deepEqual(await workersWithFlows(cloud, "h1", 3), [0, 1, 2]);
    assert.deepEqual(await workersWithFlows(cloud, "h2", 2), [0, 1]);
  });

  it("every pair of VMs reaches each other, over both protocols", async () => {
    for (const from of ["vm1", "vm2", "vm3", "vm4"]) {
      for (const to of ["vm1", "vm2", "vm3", "vm4"]) {
        if (from === to) continue;
        await cloud.eventually(`${from} reaches ${to}`, () => cloud.pings(from, cloud.vm(to).v4));
        await cloud.eventually(`${from} reaches ${to} over IPv6`, () => cloud.pings(from, cloud.vm(to).v6));
      }
    }
  });

  it("an agent that comes back with another number of workers takes all flows over", async () => {
    await cloud.introduce("vm1", "vm2");
    const pings = cloud.run("vm1", `ping -c 40 -i 0.1 -W 5 ${cloud.vm("vm2").v4}`);
    await Promise.all([cloud.hasUsedFlow("h1", "vm1"), cloud.hasUsedFlow("h2", "vm2")]);
    await cloud.kill("agent-h1");
    const { output } = await pings;
    assert.match(output, / 0% packet loss/, output);
    await cloud.startAgent("h1", ["--workers", "2"]);
    await cloud.allActive();
    assert.equal((await cloud.status("h1")).workers, 2);
    await cloud.eventually("vm1 reaches vm4", () => cloud.pings("vm1", cloud.vm("vm4").v4));
    await cloud.eventually("vm3 reaches vm2", () => cloud.pings("vm3", cloud.vm("vm2").v6));
  });
});

function connectAll(cloud: Cloud): ReturnType<Cloud["run"]> {
  return cloud.run("vm1", `timeout 60 ${process.execPath} -e '${client(cloud.vm("vm4").v4)}'`);
}

/** Workers of a host in whose shards flows lie. */
async function workersWithFlows(cloud: Cloud, host: string, workers: number): Promise<readonly number[]> {
  const shards = (await cloud.flows(host)).map(({ slot }) => Math.floor(slot / (BUCKETS_PER_SHARD * BUCKET_WAYS)));
  return [...new Set(shards.map((shard) => shard % workers))].sort();
}
