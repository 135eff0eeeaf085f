import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileOf } from "../../src/base/entry.ts";
import { unwrap } from "../../src/base/result.ts";
import { compileDatapath } from "../../src/ebpf/fixture/test-host.ts";
import { DATAPATH_CAPABILITIES } from "../../src/ebpf/rights.ts";
import { capability, type ThreadRights, threadRights } from "../../src/linux/capabilities.ts";
import { LockFile } from "../../src/linux/flock.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev");

/** An agent that cannot start says why in one sentence, says what to do, and leaves nothing. */
describe("an agent that cannot start", { skip, timeout: 60_000 }, () => {
  let cloud: Cloud;
  let folder: string;

  before(async () => {
    cloud = Cloud.build();
    await cloud.startStore();
    folder = mkdtempSync(join(tmpdir(), "weft-agent-start-"));
  });

  after(async () => {
    await cloud?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts an agent of a host of its own in the namespace of h1; the only sentence that it wrote. */
  async function sentence(
    name: string,
    more: { readonly args?: readonly string[]; readonly path?: string } = {},
  ): Promise<string> {
    const { netns } = cloud.agentPlan("h1");
    const socket = cloud.path(`${name}.sock`);
    const args = [
      ...["--host-id", randomUUID(), "--host-name", name, "--store", cloud.store, "--session-timeout", "3s"],
      ...[
        "--api-socket",
        socket,
        "--pin-folder",
        cloud.plan.id,
        "--state-folder",
        `${socket}.state`,
        ...(more.args ?? []),
      ],
    ];
    const path = more.path === undefined ? {} : { path: more.path };
    const child = cloud.launch({ name, main: "agent", netns, args, ...path });
    assert.equal(await child.ended, "ended with 1");
    const lines = cloud
      .log(name)
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith("{"));
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.ok(!existsSync(socket), "its socket");
    assert.deepEqual((await cloud.run("h1", "ip -o link")).output.match(/weft-(inject|tunnel)/g), null, "its devices");
    const pins = `/sys/fs/bpf/weft/${cloud.plan.id}`;
    assert.deepEqual(existsSync(pins) ? readdirSync(pins) : [], [], "its pinned maps");
    return lines[0] as string;
  }

  /** A copy of the sources without something. */
  function copy(name: string, options: { readonly objects: boolean; readonly koffi: boolean }): string {
    const root = join(folder, name);
    cpSync(fileOf("src"), join(root, "src"), { recursive: true });
    cpSync(fileOf("package.json"), join(root, "package.json"));
    if (options.objects) symlinkSync(fileOf("build"), join(root, "build"));
    const packages = join(root, "node_modules");
    mkdirSync(packages);
    for (const name of readdirSync(fileOf("node_modules"))) {
      if (options.koffi || name !== "koffi") symlinkSync(fileOf(`node_modules/${name}`), join(packages, name));
    }
    return join(root, "src/agent/main.ts");
  }

  it("without rights", async () => {
    const path = fileOf("src/agent/main.ts");
    const { netns } = cloud.agentPlan("h1");
    assert.ok(netns !== undefined);
    const command = `setpriv --bounding-set=-bpf,-net_admin,-sys_admin --inh-caps=-bpf,-net_admin,-sys_admin`;
    const agent = `${process.execPath} ${path} --host-id ${randomUUID()} --store ${cloud.store}`;
    const { code, output } = await cloud.run("h1", `${command} ${agent} --api-socket ${cloud.path("x.sock")}`);
    assert.equal(code, 1);
    assert.match(output, /^weft agent: the eBPF datapath needs root, or CAP_BPF.*\n$/);
  });

  it("without compiled programs", async () => {
    assert.match(
      await sentence("no-object", { path: copy("no-object", { objects: false, koffi: true }) }),
      /npm run build:bpf/,
    );
  });

  it("without koffi", async () => {
    assert.match(
      await sentence("no-koffi", { path: copy("no-koffi", { objects: true, koffi: false }) }),
      /koffi has no binary.*install/,
    );
  });

  it("when another process has its datapath", async () => {
    const host = randomUUID();
    const path = `/run/weft/${cloud.plan.id}/${host}.datapath.lock`;
    const lock = unwrap(LockFile.take(path, "somebody"));
    const said = await sentence("busy", { args: ["--host-id", host] }).finally(() => lock.release());
    assert.match(said, new RegExp(`datapath of host ${host} is in use.*somebody, process ${process.pid}`));
  });

  it("when nobody can listen where its API should be", async () => {
    const said = await sentence("deaf", { args: ["--api-socket", `${cloud.path("none")}/${"x".repeat(120)}`] });
    assert.match(said, /api-socket|cannot listen/);
  });

  it("when the tunnels' UDP port is taken", async () => {
    // It ends with the namespace.
    void cloud.run("h1", `exec ${process.execPath} -e 'require("dgram").createSocket("udp4").bind(6677)'`);
    const bound = async (): Promise<boolean> =>
      / [0-9A-F]+:1A15 /.test((await cloud.run("h1", "cat /proc/net/udp")).output);
    await cloud.eventually("somebody has the port", bound);
    const said = await sentence("port");
    assert.match(said, /UDP port 6677 is in use on this host.*--udp-port/);
  });
});

/** What every thread of an agent may do, once it has said that its rights are cut down. */
describe("an agent that starts", { skip, timeout: 60_000 }, () => {
  let cloud: Cloud;

  before(() => {
    assert.ok(compileDatapath());
    cloud = Cloud.build();
  });

  after(async () => {
    await cloud?.down();
  });

  /** Starts an agent with this store, which need not be there, and reads the rights of its threads; each kind of rights once. */
  async function rightsWith(name: string, store: string): Promise<readonly ThreadRights[]> {
    const { args, netns } = cloud.agentPlan("h1");
    const words = args.map((word) => (word === cloud.store ? store : word));
    const { pid } = cloud.launch({ name, main: "agent", netns, args: words });
    await cloud.eventually("it says what it may do", () => cloud.log(name).includes('"agent.confined"'));
    const threads = readdirSync(`/proc/${pid}/task`).map((id) =>
      JSON.stringify(threadRights(`/proc/${pid}/task/${id}`)),
    );
    await cloud.kill(name);
    assert.ok(threads.length > 4, `${threads.length} threads`);
    assert.equal(cloud.log(name).match(/agent\.confined/g)?.length, 1);
    return [...new Set(threads)].map((text) => JSON.parse(text) as ThreadRights);
  }

  const only = (numbers: readonly number[]): ThreadRights => ({
    ...{ effective: numbers, permitted: numbers, bounding: numbers, isSealed: true },
  });

  it("keeps the datapath's capabilities in every thread, and one for a store of another user, for good", async () => {
    const { dacOverride } = capability;
    assert.deepEqual(await rightsWith("local", cloud.store), [only([dacOverride, ...DATAPATH_CAPABILITIES])]);
    assert.deepEqual(await rightsWith("remote", "127.0.0.1:1"), [only(DATAPATH_CAPABILITIES)]);
  });
});
