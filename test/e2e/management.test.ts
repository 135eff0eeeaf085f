import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";
import { ManagementNetwork } from "./management-network.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
const PORT = 6678;
const TOKEN = "5e7a1cbe90d243f6a8e1b0c7d9f2a4e6";
const WRONG = "d00dfeedd00dfeedd00dfeedd00dfeed";

/** The API has a network with the agents and nothing else in common: no socket, no folder, no namespace. */
describe("an API that asks the agents of other machines", { skip, timeout: 120_000 }, () => {
  let cloud: Cloud;
  let network: ManagementNetwork;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-management-"));
    const debug = ["--log.level", "debug"];
    const listening = (i: number): readonly string[] => [
      ...["--api-listen", `${ManagementNetwork.addressOf(i)}:${PORT}`, "--api-token-file", tokenFile("right", TOKEN)],
      ...debug,
    ];
    cloud = Cloud.build({ h1: listening(0), h2: listening(1) });
    network = ManagementNetwork.join(cloud);
    writeFileSync(cloud.path("token"), `${TOKEN}\n`, { mode: 0o600 });
    await cloud.serve(undefined, network.netns);
    // Whatever is answered from here on was asked over TCP.
    for (const { name } of cloud.plan.hosts) rmSync(cloud.path(`${name}.sock`));
    await cloud.eventually("vm1 reaches vm4", () => cloud.pings("vm1", cloud.vm("vm4").v4));
  });

  after(async () => {
    await cloud?.down();
    network?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function tokenFile(name: string, token: string): string {
    const path = join(folder, name);
    writeFileSync(path, `${token}\n`, { mode: 0o600 });
    return path;
  }

  /** Status code of a question from the servers' namespace, with these words for curl before the address. */
  async function ask(words: string): Promise<string> {
    const url = `http://${ManagementNetwork.addressOf(0)}:${PORT}`;
    const curl = `curl -s -o /dev/null -m 5 -w '%{http_code}' ${words}`.replace("URL", url);
    return (await cloud.runIn(network.netns, curl)).output;
  }

  const hostIds = (): readonly string[] => cloud.plan.hosts.map(({ id }) => id).sort();
  const hostsOf = (items: readonly { readonly hostId?: string }[]): readonly string[] =>
    [...new Set(items.flatMap(({ hostId }) => hostId ?? []))].sort();

  it("has flows, drops, metrics and findings of both hosts", async () => {
    // A frame of nobody's protocol is dropped on both hosts.
    for (const { name } of cloud.plan.vms) await cloud.run(name, "ping -c 1 -W 1 198.51.100.77");
    await cloud.eventually("both hosts have dropped something", async () => {
      const { items, missing } = unwrap(await cloud.client.drops());
      return missing.length === 0 && hostsOf(items).length === 2;
    });
    const flows = unwrap(await cloud.client.flows());
    assert.deepEqual([hostsOf(flows.items), flows.missing], [hostIds(), []]);
    const metrics = unwrap(await cloud.client.metrics());
    assert.deepEqual([hostsOf(metrics.items), metrics.missing], [hostIds(), []]);
    assert.deepEqual(unwrap(await cloud.client.doctor()).missing, []);
  });

  it("walks a packet through the agent of its ingress host, whichever that is", async () => {
    for (const [from, to] of [
      ["vm1", "vm4"],
      ["vm4", "vm1"],
    ] as const) {
      const { hostName, portId, v4 } = cloud.vm(from);
      const walk = unwrap(await cloud.client.trace({ portId, packet: { source: v4, destination: cloud.vm(to).v4 } }));
      assert.equal(walk.hostId, cloud.host(hostName).id);
      assert.equal(walk.walk.at(-1), `out ${to}`);
    }
  });

  it("is refused without the token and with another one, and never may ask for a hand-over", async () => {
    assert.equal(await ask("URL/status"), "401");
    assert.equal(await ask(`-H 'Authorization: Bearer ${WRONG}' URL/status`), "401");
    assert.equal(await ask(`-H 'Authorization: Bearer ${TOKEN}' URL/status`), "200");
    assert.notEqual(await ask(`-X POST -H 'Authorization: Bearer ${TOKEN}' URL/hand-over`), "200");
    assert.ok(await cloud.pings("vm1", cloud.vm("vm4").v4));
  });

  it("names the host whose agent wants another token, and answers for the rest", async () => {
    await cloud.stop("agent-h2");
    const at = `${ManagementNetwork.addressOf(1)}:${PORT}`;
    await cloud.startAgent("h2", ["--api-listen", at, "--api-token-file", tokenFile("wrong", WRONG)]);
    await cloud.eventually("the other host is named as missing", async () => {
      const { items, missing } = unwrap(await cloud.client.flows());
      const [host, ...others] = missing;
      return host?.code === "unauthenticated" && others.length === 0 && hostsOf(items)[0] === cloud.host("h1").id;
    });
    const { missing } = unwrap(await cloud.client.drops());
    assert.deepEqual(
      missing.map(({ hostId }) => hostId),
      [cloud.host("h2").id],
    );
  });

  it("leaves the token in no log and in no bundle", async () => {
    const bundle = JSON.stringify(unwrap(await cloud.client.support()));
    const logs = ["api", "agent-h1", "agent-h2", "store"].map((name) => cloud.log(name));
    assert.ok(logs.every((text) => text.length > 0));
    for (const text of [bundle, ...logs]) assert.doesNotMatch(text, new RegExp(`${TOKEN}|${WRONG}`));
  });
});
