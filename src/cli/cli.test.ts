import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiFixture, TOKEN } from "../api/testdata/fixture.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { runProgram } from "./program.ts";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  labFile = "/nonexistent",
): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    print: (line: string) => void out.push(line),
    complain: (line: string) => void err.push(line),
    width: undefined,
  };
  const code = await runProgram({ args, env, terminal, release: "9.9.9", labFile });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("weft", () => {
  let api: ApiFixture;
  let env: Readonly<Record<string, string>>;
  const server = createServer((request, response) => api.server?.http.routing(request, response));
  const answers: Record<string, unknown> = {
    "GET /status": {
      hostId: "",
      release: "1.2.3",
      startedAt: 1,
      workers: 1,
      flows: 12,
      isStoreConnected: true,
      datapath: "memory",
      ports: [],
    },
  };
  before(async () => {
    api = await new ApiFixture().open();
    const path = join(api.folder, "api.sock");
    await new Promise<void>((resolve) => server.listen(path, resolve));
    env = { WEFT_API: `unix:${path}`, WEFT_TOKEN: TOKEN };
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await api.close();
  });
  const weft = (line: string): Promise<Ended> => run(line.split(" "), env);
  const done = async (line: string): Promise<string> => {
    const ended = await weft(line);
    assert.equal(ended.code, 0, `${line}: ${ended.err}`);
    return ended.out;
  };

  it("builds a network from names alone, and shows it as tables", async () => {
    await done("create host host1");
    await done("create tunnel-zone underlay --member host1=192.0.2.1");
    await done("--tenant blue create bridge web");
    await done("create router edge --tenant blue");
    await done("create port vm1 --bridge web");
    await done("create port web-edge --bridge web");
    await done(
      "create port edge-web --router edge --mac 02:00:00:00:00:01 --address 10.0.1.1/24,fd00:1::1/64 --mtu 1400",
    );
    await done("link web-edge edge-web");
    assert.match(await done("bind vm1 host1 veth0"), /^bound port vm1 \([0-9a-f-]{36}\)$/);
    await done("create chain web-in --tenant blue");
    await done(
      "create rule --chain web-in --protocol tcp --destination-port 80-443 --source 10.0.0.0/8 --not source --in-port vm1 --action accept",
    );
    await done("create rule --chain web-in --position 1 --action drop");
    await done("update bridge web --inbound-filter web-in");
    await done("create route --router edge --destination 0.0.0.0/0 --port edge-web --gateway 10.0.1.254");
    await done("create route --router edge --destination 10.9.0.0/16 --blackhole --weight 5");
    const withoutIds = async (line: string): Promise<string> => (await done(line)).replace(/\s+[0-9a-f]{8}$/gm, "");
    assert.equal(
      await withoutIds("list ports"),
      [
        "NAME      DEVICE       STATE     AT             MAC                ADDRESSES                 ID",
        "edge-web  router edge  linked    port web-edge  02:00:00:00:00:01  10.0.1.1/24 fd00:1::1/64",
        "vm1       bridge web   inactive  host1:veth0",
        "web-edge  bridge web   linked    port edge-web",
      ].join("\n"),
    );
    assert.equal(
      await withoutIds("list rules"),
      [
        "CHAIN   #  CONDITION                                                            ACTION  ID",
        "web-in  1  any packet                                                           drop",
        "web-in  2  in-port vm1 tcp not from 10.0.0.0/8 to-port 80-443 fragments header  accept",
      ].join("\n"),
    );
    assert.match(
      await withoutIds("list routes"),
      /edge +0\.0\.0\.0\/0 +10\.0\.1\.254 by port edge-web +100\nedge +10\.9\.0\.0\/16 +blackhole +5/,
    );
    assert.match(
      await done("show bridge web"),
      /^name +web\ntenant +blue\nup +yes\ninbound filter +web-in\nports +vm1 web-edge\nid +[0-9a-f-]{36}\nversion +\d+$/,
    );
    assert.match(await done("list zones"), /underlay +1500 +host1=192\.0\.2\.1/);
    assert.match(await done("list ports --router edge"), /^NAME.*\nedge-web [^\n]*$/);
  });

  it("takes names, whole ids and the beginnings of ids", async () => {
    const [port] = JSON.parse(await done("list ports --json"));
    for (const word of [port.name, port.id, port.id.slice(0, 8), port.id.toUpperCase()]) {
      assert.equal(JSON.parse(await done(`show port ${word} --json`)).id, port.id);
    }
    const nobody = await weft("show port nobody");
    assert.deepEqual([nobody.code, nobody.err], [4, "weft: there is no port nobody\n      see weft list ports"]);
    await done("create bridge twin --tenant a");
    await done("create bridge twin --tenant b");
    const both = await weft("show bridge twin");
    assert.match(both.err, /several bridges are called twin: (?=.*\(tenant a\)).*\(tenant b\)/);
    assert.match(await done("show bridge twin --tenant b"), /tenant +b/);
  });

  it("changes and deletes, and takes fields away", async () => {
    await done("update port vm1 --vlan 7 --down");
    assert.match(await done("show port vm1"), /state +inactive, down\n(.*\n)*vlan +7/);
    await done("update port vm1 --vlan none --up");
    assert.doesNotMatch(await done("show port vm1"), /vlan|down/);
    assert.equal((await weft("update port vm1")).code, 2);
    const stale = await weft("update port vm1 --down --if-version 0");
    assert.deepEqual([stale.code, /version-mismatch/.test(stale.err)], [1, true]);
    assert.match(await done("unbind vm1"), /^unbound port vm1 /);
    assert.equal(await done("unbind vm1"), "port vm1 was not bound");
    assert.match(await done("unlink web-edge"), /^unlinked port web-edge /);
    assert.equal(await done("unlink web-edge"), "port web-edge was not linked");
    await done("leave underlay host1");
    const left = await weft("leave underlay host1");
    assert.deepEqual([left.code, /expected a host of the tunnel zone/.test(left.err)], [4, true]);
    await done("join underlay host1 192.0.2.9");
    assert.equal(await done("delete port vm1 web-edge"), "deleted port vm1\ndeleted port web-edge");
    assert.equal((await weft("show port vm1")).code, 4);
    await done("create bridge short-lived");
    const { id } = JSON.parse(await done("show bridge short-lived --json"));
    assert.deepEqual(JSON.parse(await done("delete bridge short-lived --json")), { deleted: [id] });
    await done("create bridge short-lived");
    const half = await weft("delete bridge short-lived nobody --json");
    assert.deepEqual([half.code, JSON.parse(half.out).deleted.length], [4, 1]);
    assert.match(JSON.parse(half.err).error.message, /no bridge nobody/);
    const unreadable = await weft("crate bridge x --json");
    assert.match(JSON.parse(unreadable.err).error.message, /unknown command 'crate'/);
  });

  it("prints the API's words when it is refused, as text or as JSON", async () => {
    const refused = await weft("create rule --chain web-in --destination-port 1 --action accept");
    assert.equal(refused.code, 1);
    assert.match(refused.err, /^weft: field condition\.protocol: a condition of a rule contradicts itself; expected/);
    const json = await weft("create bridge web --tenant blue --json");
    assert.equal(JSON.parse(json.err).error.code, "duplicate-name");
    const mixed = await weft("create tunnel-zone z --member host1=fd00::1 --member host1=192.0.2.1");
    assert.match(mixed.err, /members\[1\]/);
    const narrow = await weft("update port edge-web --mtu 1200");
    assert.match(narrow.err, /field mtu: .*; expected at least 1280 where the port has an IPv6 address/);
    const never = await weft("create rule --chain web-in --ethertype 0x88cc --source 10.0.0.0/8 --action drop");
    assert.match(never.err, /^weft: field condition\.source: .*ethertype is 0x88cc/);
    const several = await weft(
      "create route --router edge --destination nowhere --source nowhere --weight 99999999 --blackhole",
    );
    assert.match(several.err, /field source.*\n {6}field \w+: expected/);
  });

  it("shows and configures the tables of devices", async () => {
    await done("create port vm2 --bridge web");
    await done("fdb add web 02:00:00:00:00:05 vm2 --vlan 3");
    assert.match(await done("fdb list web"), /02:00:00:00:00:05 +3 +vm2 +configured/);
    await done("fdb delete web 02:00:00:00:00:05 --vlan 3");
    await done("neighbors add edge 10.0.1.5 02:00:00:00:00:05");
    assert.match(await done("neighbors list edge"), /10\.0\.1\.5 +02:00:00:00:00:05 +configured/);
    await done("neighbors delete edge 10.0.1.5");
    for (const line of ["neighbors delete edge 10.0.1.5", "fdb delete web 02:00:00:00:00:05 --vlan 3"]) {
      const gone = await weft(line);
      assert.deepEqual([gone.code, /there is no such object/.test(gone.err)], [4, true], line);
    }
    for (const line of ["fdb add web 01:00:5e:00:00:05 vm2", "neighbors add edge 10.0.1.5 33:33:00:00:00:01"])
      assert.match((await weft(line)).err, /expected a unicast MAC address/, line);
    await done("neighbors add web fd00::5 02:00:00:00:00:05");
    assert.match(await done("neighbors list web"), /fd00::5/);
    assert.equal((await weft("neighbors list nowhere")).code, 4);
  });

  it("asks hosts for flows, drops and a walk, and says who did not answer", async () => {
    const { id: hostId } = JSON.parse(await done("show host host1 --json"));
    const { id: portId } = JSON.parse(await done("show port vm2 --json"));
    const flow = {
      slot: 1,
      portId,
      key: "in 1",
      flowClass: "l3",
      action: "out 2",
      packets: 5,
      bytes: 12_345,
      idleMs: 1_500,
      tags: 3,
    };
    answers["GET /flows?limit=100"] = { flows: [flow], total: 3 };
    answers["GET /drops"] = { drops: [{ reason: "no-route", meaning: "no route matches", portId, packets: 4 }] };
    answers["POST /trace"] = {
      verdict: "drop",
      reason: "no-route",
      walk: [`port ${portId}`, "  router"],
      flowClass: "l3",
      action: "drop",
      tags: [`port ${portId}`],
    };
    await api.live(hostId, (line) => {
      const body = answers[line];
      return body === undefined
        ? { status: 500, body: "" }
        : { status: 200, body: JSON.stringify(line === "GET /status" ? { ...(body as object), hostId } : body) };
    });
    assert.match(await done("hosts"), /host1 +yes +0 +12 +memory +192\.0\.2\.9 +underlay +1\.2\.3/);
    const flows = await weft("flows");
    assert.match(flows.out, /host1 +vm2 +in 1 +l3 +out 2 +5 +12\.3 kB +2 s +3/);
    assert.equal(flows.err, "and 2 more; see --limit");
    assert.match(await done("drops host1"), /host1 +vm2 +no-route +4 +no route matches/);
    await done("bind vm2 host1 veth2");
    const walk = await done(
      "trace --port vm2 --src 10.0.1.5 --dst 10.0.1.1 --proto tcp --dport 80 --dst-mac 02:00:00:00:00:01",
    );
    assert.match(walk, /assumed: source MAC/);
    const unknown = await weft("trace --port vm2 --src 10.0.1.5 --dst 10.0.1.9");
    assert.match(unknown.err, /--dst-mac: expected the MAC address of 10\.0\.1\.9, .*\n +give --dst-mac$/);
    assert.match(
      walk,
      /\nport vm2\n {2}router\n\nverdict +drop: no-route\nflow +l3 -> drop\ndepends on +port vm2\nwalked by +host1$/,
    );
    assert.match(await done(`trace --port vm2 --frame ${"ff".repeat(14)} --why`), /\n\ndepends on\n {2}port vm2$/);
    assert.match(await done(`trace --port vm2 --frame ${"ff".repeat(14)} --ids`), new RegExp(`port ${portId}`));
    await done("create host host2");
    const partial = await weft("drops");
    assert.deepEqual(
      [partial.code, /host host2: .*no running agent/.test(partial.err)],
      [EXIT_CODES.partial.code, true],
    );
    const cases = [
      "trace --port vm2",
      "trace --port vm2 --src a --frame ff",
      "trace --port vm2 --src 10.0.0.1 --proto x",
      "trace --port vm2 --dport x",
    ];
    for (const line of cases) assert.equal((await weft(line)).code, 2, line);
  });

  it("follows changes", async () => {
    const once = await weft("watch bridges --once");
    assert.match(once.out, /present bridge web version \d/);
    const lines = (await done("watch hosts --once --json")).split("\n").map((line) => JSON.parse(line).type);
    assert.deepEqual(lines, ["object", "object", "synced"]);
    assert.equal((await weft("watch bridgse")).err, "weft: unknown kind bridgse; did you mean bridge?");
  });

  it("helps everywhere, with an example, and suggests what was meant", async () => {
    assert.match(await done("--help"), /Exit codes:\n {2}0 {2}done/);
    assert.match(await done("help trace"), /Examples:\n {2}weft trace/);
    for (const line of [
      "create",
      "create rule",
      "list ports",
      "show host",
      "bind",
      "fdb",
      "hosts",
      "flows",
      "trace",
      "watch",
      "completion",
    ]) {
      assert.match(await done(`${line} --help`), /Usage: weft /, line);
    }
    assert.equal(await done("--version"), "9.9.9");
    const verb = await weft("crate bridge x");
    assert.deepEqual([verb.code, /unknown command 'crate'\n\(Did you mean create\?\)/.test(verb.err)], [2, true]);
    assert.match((await weft("create bidge x")).err, /bridge/);
    assert.equal((await weft("create bridge")).code, 2);
    assert.equal((await weft("create bridge x --colour red")).code, 2);
    assert.match(await done("completion"), /complete -F _weft/);
  });
});

describe("finding the API", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-cli-"));
  const labFile = join(folder, "lab.json");
  after(() => rmSync(folder, { recursive: true }));

  it("says what to do when there is none", async () => {
    const lost = await run(["list", "ports"]);
    assert.deepEqual(
      [lost.code, lost.err],
      [3, "weft: no lab is running here\n      start a lab with npm start, or name the API with --api or WEFT_API"],
    );
    const away = await run(["list", "ports", "--api", `unix:${folder}/none`]);
    assert.deepEqual([away.code, /cannot be reached: there is no such socket/.test(away.err)], [3, true]);
    assert.equal((await run(["list", "ports", "--api", "nonsense://"])).code, 2);
  });

  it("takes the running lab's address and token unless others are given", async () => {
    writeFileSync(labFile, JSON.stringify({ api: `unix:${folder}/lab`, token: "secret" }));
    const shown = async (env: Readonly<Record<string, string>>, ...flags: string[]) => {
      const { out } = await run([...flags, "config", "show", "--json"], env, labFile);
      const lines = JSON.parse(out) as readonly {
        readonly key: string;
        readonly value: string;
        readonly from: string;
      }[];
      return lines.map(({ key, value, from }) => `${key}=${value} ${from}`.trim());
    };
    assert.deepEqual(await shown({}), [
      `api=unix:${folder}/lab the lab, ${labFile}`,
      `token=(set) the lab, ${labFile}`,
      "tenant=",
    ]);
    assert.deepEqual(await shown({ WEFT_API: "unix:/a" }), ["api=unix:/a WEFT_API", "token=", "tenant="]);
    assert.deepEqual(await shown({ WEFT_API: "unix:/a" }, "--api", "unix:/b", "--token", "t"), [
      "api=unix:/b --api",
      "token=(set) --token",
      "tenant=",
    ]);
    writeFileSync(labFile, "{");
    assert.equal((await run(["list", "ports"], {}, labFile)).code, 3);
  });

  it("shows the configuration of every process", async () => {
    for (const name of ["api", "agent", "store-server"]) {
      assert.match((await run(["config", "show", name])).out, /^KEY +VALUE +ORIGIN/);
    }
    assert.equal((await run(["config", "show", "toaster"])).code, 2);
  });
});
