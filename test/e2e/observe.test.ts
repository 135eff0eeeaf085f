import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import type { DoctorAnswer } from "../../src/api-schema/doctor-resource.ts";
import { fileOf, mainOf } from "../../src/base/entry.ts";
import { unwrap } from "../../src/base/result.ts";
import { type ParsedFamily, parseExposition } from "../../src/base/testing/exposition-parser.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { Cloud, type Ran } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
/** Port of h1's listener for a scraper, on the loopback of its namespace. */
const SCRAPE_PORT = 9_601;
const GONE = "00000000-0000-4000-8000-00000000dead";

describe("a cloud that can be looked into", { skip, timeout: 150_000 }, () => {
  let cloud: Cloud;

  before(async () => {
    const more = ["--log.level", "debug"];
    cloud = Cloud.build({ h1: [...more, "--metrics-listen", String(SCRAPE_PORT)], h2: more });
    await cloud.serve();
    await cloud.eventually("vm1 reaches vm4", () => cloud.pings("vm1", cloud.vm("vm4").v4));
    for (const { name } of cloud.plan.hosts) {
      await cloud.eventually(`${name} hears of its peer`, async () => {
        return (await cloud.status(name)).peers?.[0]?.state === "alive";
      });
    }
  });

  after(async () => {
    await cloud?.down();
  });

  async function examine(): Promise<DoctorAnswer> {
    return unwrap(await cloud.client.doctor());
  }

  /** What is not well, as `level check`. */
  async function troubles(): Promise<readonly string[]> {
    const { findings } = await examine();
    return findings.filter(({ level }) => level !== "ok").map(({ level, check }) => `${level} ${check}`);
  }

  async function finds(trouble: string): Promise<void> {
    await cloud.eventually(`the doctor finds ${trouble}`, async () => (await troubles()).includes(trouble));
  }

  /** The command line, with its environment. */
  function weft(words: string): Promise<Ran> {
    const token = readFileSync(cloud.path("token"), "utf8").trim();
    return cloud.run(
      "h1",
      `WEFT_API=unix:${cloud.path("api.sock")} WEFT_TOKEN=${token} ${fileOf("weft")} ${words} 2>&1`,
    );
  }

  async function metricsOf(hostName: string): Promise<ReadonlyMap<string, ParsedFamily>> {
    const text = await new Promise<string>((resolve, reject) => {
      const ask = request({ socketPath: cloud.path(`${hostName}.sock`), path: "/metrics" }, (response) => {
        let answer = "";
        response.on("data", (chunk: Buffer) => (answer += `${chunk}`));
        response.once("end", () => resolve(answer));
      });
      ask.once("error", reject);
      ask.end();
    });
    return parseExposition(text);
  }

  it("an agent tells metrics that a strict reader takes, and they count what happens", async () => {
    const sum = (families: ReadonlyMap<string, ParsedFamily>, name: string): number =>
      (families.get(name)?.samples ?? []).reduce((total, { value }) => total + value, 0);
    const before = await metricsOf("h1");
    await cloud.run("vm1", `ping -c 10 -i 0.02 ${cloud.vm("vm4").v4}`);
    const now = await metricsOf("h1");
    assert.ok(sum(now, "weft_datapath_packets_total") >= sum(before, "weft_datapath_packets_total") + 8);
    assert.ok(sum(now, "weft_port_received_packets_total") >= sum(before, "weft_port_received_packets_total") + 10);
    assert.ok(sum(now, "weft_flows") >= 1);
    const peers = now.get("weft_peer_up")?.samples ?? [];
    assert.deepEqual(
      peers.map(({ labels, value }) => [labels["peer"], value]),
      [[cloud.host("h2").id, 1]],
    );
    assert.equal(sum(now, "weft_peer_mtu_bytes"), 1450);
    const life = now.get("weft_peer_state")?.samples.map(({ labels }) => labels["state"]);
    assert.deepEqual(life, ["alive"]);
    assert.equal(sum(now, "weft_ports"), cloud.plan.vms.filter(({ hostName }) => hostName === "h1").length);
    assert.ok(sum(now, "weft_store_client_sessions_total") === 1 && sum(now, "weft_map_entries") > 0);
  });

  it("a scraper reads the same without a token where it was allowed, and only there", async () => {
    const scraped = await cloud.run("h1", `curl -s http://127.0.0.1:${SCRAPE_PORT}/metrics`);
    assert.ok(parseExposition(scraped.output).has("weft_upcall_queue_packets"));
    const outside = await cloud.run("h2", `curl -s -m 2 http://${cloud.host("h1").underlay}:${SCRAPE_PORT}/metrics`);
    assert.notEqual(outside.code, 0);
    const table = await weft("metrics h1 --match peer");
    assert.match(table.output, /weft_peer_up +peer=h2 +1 /);
  });

  it("the doctor finds nothing broken, and the command says so", async () => {
    const { findings, missing } = await examine();
    assert.deepEqual(
      findings.filter(({ level }) => level === "failure"),
      [],
    );
    assert.deepEqual(missing, []);
    for (const check of ["store", "store-servers", "clocks", "kernel", "underlay", "tunnels", "peer-mtu", "limits"])
      assert.ok(
        findings.some((one) => one.check === check && one.level === "ok"),
        check,
      );
    const { code, output } = await weft("doctor");
    assert.ok(code === 0 || code === 6, output);
    assert.match(output, /^0 failures, /m);
  });

  it("it finds an underlay that carries less than the tunnel zone says", async () => {
    const { output } = await cloud.run("h1", `ip -o addr | grep -w ${cloud.host("h1").underlay}`);
    const name = output.split(/\s+/)[1] ?? "";
    await cloud.run("h1", `ip link set ${name} mtu 1400`);
    const { findings } = await examine();
    const bad = findings.filter(({ level }) => level === "failure");
    const nameOf = (id: string | undefined) => cloud.plan.hosts.find((host) => host.id === id)?.name;
    const told = bad.map(({ check, hostId, found }) => `${nameOf(hostId)} ${check}: ${found}`).toSorted();
    // h1 sees it in its own settings, h2 only by what is not answered.
    assert.equal(told.length, 3, told.join("\n"));
    assert.match(told[0] ?? "", /^h1 peer-mtu: by \S+ it carries 1400 bytes, the tunnel zone says 1500/);
    assert.match(told[1] ?? "", /^h1 underlay: MTU 1400; the tunnel zone says 1500/);
    assert.match(told[2] ?? "", /^h2 peer-mtu: packets of 1500 bytes are not answered, small ones are/);
    await cloud.run("h1", `ip link set ${name} mtu 1500`);
    assert.deepEqual(
      (await troubles()).filter((one) => one.startsWith("failure")),
      [],
    );
  });

  it("it finds what is left of objects that are gone, and an interface that went away", async () => {
    const store = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
    const path = `/weft/state/port/active/${GONE}`;
    unwrap(await store.create(path, new Uint8Array(0), { mode: "ephemeral" }));
    await finds("warning leftovers");
    await store.close();
    await cloud.run("h1", `ip link set ${cloud.vm("vm1").name} down`);
    await finds("warning ports");
    await cloud.run("h1", `ip link set ${cloud.vm("vm1").name} up`);
    await cloud.allActive();
  });

  it("a bundle has findings, metrics, settings and logs of every process, and no secret", async () => {
    const path = cloud.path("bundle.tar.gz");
    await weft(`doctor --bundle ${path}`);
    const list = (await cloud.run("h1", `tar tzf ${path}`)).output.split("\n").filter(Boolean);
    const agents = cloud.plan.hosts.flatMap(({ id }) => ["json", "log", "prom"].map((end) => `agent-${id}.${end}`));
    const wanted = ["api.json", "api.log", "api.prom", "drops.json", "findings.json", ...agents];
    assert.deepEqual(list.toSorted(), wanted.toSorted());
    const all = (await cloud.run("h1", `tar xzOf ${path}`)).output;
    assert.ok(!all.includes(readFileSync(cloud.path("token"), "utf8").trim()), "the token");
    assert.match(all, /"event":"agent.serving"/);
  });

  it("every line of log of every process is one JSON document with the same fields, and no secret is in any", () => {
    const token = readFileSync(cloud.path("token"), "utf8").trim();
    for (const name of ["store", "api", "agent-h1", "agent-h2"]) {
      const text = cloud.log(name);
      assert.ok(!text.includes(token), `${name}: the token`);
      const lines = text.split("\n").filter(Boolean);
      assert.ok(lines.length > 0, name);
      for (const line of lines) {
        const fields = JSON.parse(line) as Record<string, unknown>;
        for (const field of ["time", "level", "process", "host", "event"])
          assert.equal(typeof fields[field], "string", `${name} ${field}: ${line}`);
      }
    }
  });

  it("it finds a host whose agent died; the doctor of that host works without it", async () => {
    await cloud.kill("agent-h2");
    await finds("failure hosts");
    const socket = cloud.path("h2.sock");
    const local = await cloud.run("h2", `${process.execPath} ${mainOf("agent")} --doctor --api-socket ${socket}`);
    const { findings } = JSON.parse(local.output) as DoctorAnswer;
    const check = (name: string): readonly string[] =>
      findings.filter((one) => one.check === name).map(({ level }) => level);
    assert.deepEqual(check("agent-socket"), ["warning"]);
    assert.deepEqual(check("kernel"), ["ok"]);
    assert.ok(
      findings.some(({ subject }) => subject.endsWith(`/${cloud.host("h2").id}`)),
      "its pinned maps",
    );
  });

  it("it finds that the store is gone, and still hears the agents", async () => {
    await cloud.kill("store");
    await finds("failure store");
    const { findings } = await examine();
    const servers = findings.filter(({ check, level }) => check === "store-servers" && level === "failure");
    assert.equal(servers.length, 1);
    assert.ok(
      findings.some(({ check, level, hostId }) => {
        return check === "agent-store" && level === "failure" && hostId === cloud.host("h1").id;
      }),
    );
    const { code, output } = await weft("doctor");
    assert.equal(code, 7, output);
  });
});
