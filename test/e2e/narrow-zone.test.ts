import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { Lab } from "../../src/lab/lab.ts";
import { vmOf } from "../../src/lab/plan.ts";
import { until } from "../../src/lab/until.ts";
import { needs } from "../needs.ts";

/** MTU of the tunnel zone, and what of it is left for the packets of VMs, whose own MTU is larger. */
const ZONE_MTU = 1400;
const PATH_MTU = ZONE_MTU - 50;

/** One echo request: the first packet of its flow. No two have the same flow, nor a path that a VM's kernel has learned of. */
const cases = [
  {
    what: "without DF across the router arrives in fragments",
    vm: "vm3",
    to: "-M dont 10.1.1.12",
    says: / 1 received/,
  },
  { what: "without DF on one bridge arrives in fragments", vm: "vm3", to: "-M dont 10.1.2.14", says: / 1 received/ },
  { what: "on one bridge is refused", vm: "vm1", to: "-M do 10.1.1.12", says: refusedBy("10.1.1.12") },
  { what: "across the router is refused", vm: "vm1", to: "-M do 10.1.2.14", says: refusedBy("10.1.1.1") },
  { what: "over IPv6 is refused", vm: "vm1", to: "-M do fd00:1:1::12", says: refusedBy("fd00:1:1::12") },
  {
    what: "over IPv6 across the router is refused",
    vm: "vm1",
    to: "-M do fd00:1:2::14",
    says: refusedBy("fd00:1:1::1"),
  },
];

describe("a tunnel zone that is narrower than the VMs think", { skip: needs("root", "ping") }, () => {
  let lab: Lab;

  before(async () => {
    const onLost = (sentence: string): void => console.error(sentence);
    lab = unwrap(Lab.claim({ scheduler: systemScheduler, prng: new Prng(process.pid), onLost }));
    unwrap(lab.build());
    unwrap(await lab.serve());
    unwrap(await lab.createTenant());
    unwrap(await lab.client.patch("tunnel-zone", lab.plan.zone.id, { mtu: ZONE_MTU }));
    const isNarrow = (): true | undefined =>
      refusedBy("fd00:1:2::1").test(ping("vm3", "-M do fd00:1:1::12")) ? true : undefined;
    assert.ok(await until({ scheduler: systemScheduler, withinMs: 20_000 }, isNarrow), "the zone is not narrow");
  });

  after(async () => lab?.down());

  for (const { what, vm, to, says } of cases) {
    it(`the first packet ${what}: \`ping ${to}\``, () => assert.match(ping(vm, to), says));
  }

  /** One echo request of 1408 bytes: shorter than a VM's MTU, longer than the way between the hosts. */
  function ping(vm: string, to: string): string {
    const words = ["-c", "1", "-W", "2", "-s", "1380", ...to.split(" ")];
    const args = ["netns", "exec", vmOf(lab.plan, vm).namespace, "ping", ...words];
    return spawnSync("ip", args, { encoding: "utf8" }).stdout;
  }
});

function refusedBy(address: string): RegExp {
  const from = `From ${address.replaceAll(".", "\\.")} icmp_seq=1`;
  return new RegExp(`${from} (Frag needed and DF set \\(mtu = ${PATH_MTU}\\)|Packet too big: mtu=${PATH_MTU})`);
}
