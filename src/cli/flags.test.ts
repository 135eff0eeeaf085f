import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fieldsOf, RESOURCES } from "../api-schema/resources.ts";
import type { Kind } from "../model/objects.ts";
import { labelOf } from "./object-fields.ts";
import { CliFixture } from "./testdata/cli-fixture.ts";

describe("flags of objects", () => {
  const cli = new CliFixture();
  before(() => cli.open());
  after(() => cli.close());

  const contradictions: readonly (readonly [string, string, string])[] = [
    ["create rule --chain c --action drop --jump d", "--action", "--jump"],
    ["create route --router r --destination 0.0.0.0/0 --blackhole --reject", "--blackhole", "--reject"],
    ["create route --router r --destination 0.0.0.0/0 --port p --local", "--port", "--local"],
    ["create bridge b --up --down", "--up", "--down"],
    ["update port p --external --internal", "--external", "--internal"],
    ["create port p --bridge b --router r", "--bridge", "--router"],
  ];

  it("that contradict each other are refused, and nothing is done", async () => {
    await cli.done("create chain c");
    await cli.done("create bridge b");
    await cli.done("create port p --bridge b");
    for (const [line, one, other] of contradictions) {
      const { code, err } = await cli.weft(line);
      assert.equal(code, 2, line);
      assert.match(
        err,
        new RegExp(`^weft: ${one} and ${other} contradict each other\n {6}each decides the .*: give one`),
      );
    }
    assert.equal(await cli.done("list rules --json"), "[]");
  });

  it("that take one value are refused when they are given twice; lists are not", async () => {
    for (const line of [
      "create rule --chain c --action drop --action accept",
      "create bridge x --inbound-filter c --inbound-filter c",
      "list ports --bridge b --bridge b",
      "--tenant a list bridges --tenant b",
    ]) {
      const { code, err } = await cli.weft(line);
      assert.equal(code, 2, line);
      assert.match(err, /^weft: --[a-z-]+ is given twice: it takes one value, give it once/, line);
    }
    await cli.done("update port p --allowed-mac 02:00:00:00:00:01 --allowed-mac 02:00:00:00:00:02");
  });

  it("name what a creation is missing", async () => {
    const cases: readonly (readonly [string, string])[] = [
      ["create port", "one of --bridge, --router is missing"],
      ["create route --router r --destination 0.0.0.0/0", "one of --port, --blackhole, --reject, --local is missing"],
      ["create rule --action drop", "--chain is missing"],
    ];
    await cli.done("create router r");
    for (const [line, sentence] of cases) {
      const { code, err } = await cli.weft(line);
      assert.deepEqual([code, err.split("\n")[0]], [2, `weft: ${sentence}`]);
    }
  });

  it("say that a rejection at a bridge is silent", async () => {
    assert.match(
      (await cli.done("create rule --help")).replaceAll(/\s+/g, " "),
      /reject is answered by routers .* at bridges it is a silent drop/,
    );
  });

  it("a gateway needs the port behind which it is, at creation and at change", async () => {
    const made = await cli.weft("create route --router r --destination 0.0.0.0/0 --gateway 10.0.0.1");
    assert.deepEqual([made.code, made.err.split("\n")[0]], [2, "weft: --gateway needs --port"]);
    const id = JSON.parse(await cli.done("create route --router r --destination 0.0.0.0/0 --blackhole --json")).id;
    assert.equal((await cli.weft(`update route ${id} --gateway 10.0.0.1`)).code, 2);
  });
});

describe("show", () => {
  const cli = new CliFixture();
  before(() => cli.open());
  after(() => cli.close());

  const answerOf = async (kind: Kind, name: string): Promise<object> => {
    // What the host says of a port is not the API's object.
    const { status: _status, ...object } = JSON.parse(await cli.done(`show ${kind} ${name} --json`));
    return object;
  };

  it("prints every field that the API answers, of every kind", async () => {
    const lines = [
      "create host h",
      "create tunnel-zone z --mtu 1500 --member h=192.0.2.1",
      "create chain c",
      "create bridge b --inbound-filter c --outbound-filter c",
      "create router r --inbound-filter c --outbound-filter c",
      "create port p --bridge b --inbound-filter c --outbound-filter c --vlan 7 --external --allowed-mac 02:00:00:00:00:05 --allowed-address 10.0.0.5/32",
      "create port q --router r --address 10.0.1.1/24 --mtu 1400",
      "create port l --bridge b",
      "link q l",
      "bind p h veth0",
      "create rule --chain c --protocol tcp --action drop --id 00000000-0000-4000-8000-000000000001",
      "create route --router r --destination 0.0.0.0/0 --port q --gateway 10.0.1.254 --id 00000000-0000-4000-8000-000000000002",
    ];
    for (const line of lines) await cli.done(line);
    const objects: readonly (readonly [Kind, string])[] = [
      ["host", "h"],
      ["tunnel-zone", "z"],
      ["chain", "c"],
      ["bridge", "b"],
      ["router", "r"],
      ["port", "p"],
      ["port", "q"],
      ["rule", "00000000-0000-4000-8000-000000000001"],
      ["route", "00000000-0000-4000-8000-000000000002"],
    ];
    const seen = new Set<string>();
    for (const [kind, name] of objects) {
      const answered = Object.keys(await answerOf(kind, name));
      const shown = (await cli.done(`show ${kind} ${name}`)).split("\n").map((line) => line.split("  ")[0]);
      assert.deepEqual(
        shown.filter((label) => label !== "not active").toSorted(),
        answered.map(labelOf).toSorted(),
        `${kind} ${name}`,
      );
      for (const field of answered) seen.add(`${kind} ${field}`);
    }
    // What no object here has is a host's own: it takes a running agent.
    const unseen = Object.values(RESOURCES).flatMap(({ kind, read }) => {
      return fieldsOf(read).flatMap((field) => (seen.has(`${kind} ${field}`) ? [] : [`${kind} ${field}`]));
    });
    assert.deepEqual(unseen, ["host agentAddress"]);
    const port = await cli.done("show port p");
    for (const line of ["bridge +b", "vlan +7", "allowed macs +02:00:00:00:00:05", "external +yes", "binding +h:veth0"])
      assert.match(port, new RegExp(`^${line}$`, "m"));
    assert.match(port, /^allowed addresses +10\.0\.0\.5\/32$/m);
    assert.match(port, /^state +inactive$/m);
    const other = await cli.done("show port q");
    assert.match(other, /^peer +l$/m);
    assert.match(other, /^mtu +1400$/m);
  });

  it("says why a host does not serve a port that is bound there, and bind says where to look", async () => {
    const { id: hostId } = JSON.parse(await cli.done("show host h --json"));
    const { id: portId } = JSON.parse(await cli.done("show port p --json"));
    assert.match(await cli.done("show port p"), /^not active +.*no running agent/m);
    const why = "interface lo cannot be bound: it is the loopback";
    const status = { hostId, release: "1", startedAt: 1, workers: 1, isStoreConnected: true };
    let own: object = { portId, interfaceName: "lo", state: "refused", why };
    await cli.api.live(hostId, () => ({ status: 200, body: JSON.stringify({ ...status, ports: [own] }) }));
    await cli.done("unbind p");
    const bound = await cli.weft("bind p h lo");
    assert.deepEqual([bound.code, bound.err], [0, "whether h serves it: weft show port p"]);
    assert.match(await cli.done("show port p"), new RegExp(`^not active +${why}$`, "m"));
    assert.equal(JSON.parse(await cli.done("show port p --json")).status.why, why);
    assert.match(await cli.done("hosts"), /p refused/);
    own = { portId, interfaceName: "lo", state: "absent" };
    assert.match(await cli.done("show port p"), /^not active +there is no interface lo on the host$/m);
  });
});
