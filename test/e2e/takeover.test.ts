import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { encodeRecord } from "../../src/store/local-records.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { freePorts } from "./apache-zookeeper.ts";
import { Cloud } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
const layout = new Layout();

/** Whatever can be refused is refused while the old agent still works, and it goes on working. */
describe("a takeover that cannot succeed", { skip, timeout: 180_000 }, () => {
  let cloud: Cloud;
  /** The store's way over TCP, where it wants its secret. */
  let wary: string;
  let tree: ZooKeeperClient;

  before(async () => {
    cloud = Cloud.build();
    const [port = 0] = await freePorts(1);
    await cloud.startStore(["--listen", `127.0.0.1:${port}`]);
    wary = cloud.path("wary.sock");
    const path = join(import.meta.dirname, "relay.main.ts");
    await cloud.start({ name: "relay", main: "store-server", path, args: [`${wary}=127.0.0.1:${port}`] });
    await cloud.serve();
    tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", cloud.vm("vm2").v4));
  });

  after(async () => {
    await tree?.close();
    await cloud?.down();
  });

  /** Starts an agent that is to take over from that of h1 and must not; the sentence that it ends with. */
  async function refused(name: string, more: readonly string[], code = 1): Promise<string> {
    const old = cloud.pid("agent-h1");
    const { netns, args } = cloud.agentPlan("h1");
    const child = cloud.launch({ name, main: "agent", netns, args: [...args, "--takeover", ...more] });
    assert.ok(!(await child.ready(systemScheduler)).ok, "it serves");
    assert.equal(await child.ended, `ended with ${code}`, cloud.log(name));
    assert.doesNotMatch(cloud.log(name), /agent\.takeover/);
    process.kill(old, 0);
    assert.ok((await cloud.status("h1")).isStoreConnected);
    assert.ok(await cloud.pings("vm1", cloud.vm("vm2").v4));
    const sentences = cloud.log(name).match(/^weft agent: .*$/gm) ?? [];
    assert.equal(sentences.length, 1, cloud.log(name));
    return sentences[0] as string;
  }

  it("because nobody can listen where a scraper is to ask", async () => {
    const said = await refused("elsewhere", ["--metrics-listen", "192.0.2.254:9"]);
    assert.match(said, /metrics-listen: cannot listen on 192\.0\.2\.254:9: /);
  });

  it("because another process listens there, which is not the old agent", async () => {
    // It ends with the namespace.
    void cloud.run("h1", `exec ${process.execPath} -e 'require("net").createServer().listen(9701, "127.0.0.1")'`);
    const listens = async (): Promise<boolean> =>
      / 0100007F:25E5 /.test((await cloud.run("h1", "cat /proc/net/tcp")).output);
    await cloud.eventually("somebody listens there", listens);
    const said = await refused("taken", ["--metrics-listen", "127.0.0.1:9701"]);
    assert.match(said, /metrics-listen: cannot listen on 127\.0\.0\.1:9701: .*EADDRINUSE/);
  });

  it("because the state folder is of a later release", async () => {
    const folder = cloud.path("later.state");
    mkdirSync(folder, { mode: 0o700 });
    const record = { record: "agent-journal", v: 99, hostId: cloud.host("h1").id };
    writeFileSync(join(folder, "journal"), encodeRecord(new TextEncoder().encode(JSON.stringify(record))));
    const said = await refused("later", ["--state-folder", folder]);
    assert.match(said, /state-folder .*version 99.*upgrade the agent/);
  });

  it("because the store is of a later release", async () => {
    const { data } = unwrap(await tree.get(layout.version));
    unwrap(await tree.set(layout.version, new TextEncoder().encode('{"layout":99}')));
    const said = await refused("newer", []).finally(() => tree.set(layout.version, data));
    assert.match(said, /the store has layout 99, this agent knows \d+: upgrade the agent/);
  });

  it("because the store does not take its secret; nor does it start without another agent", async () => {
    const wrong = cloud.path("wrong.secret");
    writeFileSync(wrong, "0".repeat(64));
    const more = ["--store", `unix:${wary}`, "--store-secret-file", wrong];
    assert.match(
      await refused("denied", more, 78),
      /the store does not let us use .*: --store-secret-file has to hold/,
    );
    await cloud.stop("agent-h1");
    const { netns, args } = cloud.agentPlan("h1");
    const alone = cloud.launch({ name: "alone", main: "agent", netns, args: [...args, ...more] });
    assert.equal(await alone.ended, "ended with 78", cloud.log("alone"));
    await cloud.startAgent("h1");
    await cloud.allActive();
  });

  it("with the right secret, and where the old agent itself listens, it succeeds", async () => {
    const right = cloud.path("right.secret");
    writeFileSync(right, readFileSync(cloud.path("store/secret")));
    const scraped = ["--metrics-listen", "127.0.0.1:9702"];
    await cloud.startAgent("h1", ["--takeover", ...scraped]);
    const old = cloud.pid("agent-h1");
    await cloud.startAgent("h1", ["--takeover", ...scraped, "--store", `unix:${wary}`, "--store-secret-file", right]);
    assert.notEqual(cloud.pid("agent-h1"), old);
    assert.match(cloud.log("agent-h1"), /"handed-over".*"agent\.takeover"/);
    await cloud.allActive();
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", cloud.vm("vm2").v4));
  });
});
