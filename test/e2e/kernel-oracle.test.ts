import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { Lab } from "../../src/lab/lab.ts";
import { needs } from "../needs.ts";
import { KernelTwin } from "./kernel-twin.ts";
import { addSecondKernelRouter, addSecondRouter } from "./second-router.ts";

/** MTU of the router towards `db`: smaller than everything else, so that packets do not fit in the middle of their way. */
const NARROW_MTU = 1400;

interface Case {
  readonly name: string;
  /** VM that asks. */
  readonly vm: string;
  readonly command: string;
  /** Lines of the output that count, after `normalize`. */
  readonly keep: RegExp;
  /** Why weft may answer otherwise, with the rule; then only that it answers as `weft` says is checked. */
  readonly differs?: { readonly why: string; readonly weft: RegExp };
}

const received = /packets transmitted|bytes from|exceeded|nreachable|too big|Frag needed/;

/** What a VM sees of its network. Addresses are those of the lab's plan. */
const cases: readonly Case[] = [
  { name: "ping on one bridge", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 10.1.1.12", keep: received },
  { name: "ping on one bridge over IPv6", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 fd00:1:1::12", keep: received },
  { name: "ping across the router", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 10.1.2.14", keep: received },
  {
    name: "ping across the router over IPv6",
    vm: "vm2",
    command: "ping -c 2 -i 0.2 -W 2 fd00:1:2::13",
    keep: received,
  },
  { name: "ping of the gateway", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 10.1.1.1", keep: received },
  { name: "ping of the gateway over IPv6", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 fd00:1:1::1", keep: received },
  { name: "ping of the router's far address", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 10.1.2.1", keep: received },
  { name: "TTL 1 ends at the router", vm: "vm1", command: "ping -c 1 -t 1 -W 2 10.1.2.14", keep: received },
  { name: "hop limit 1 ends at the router", vm: "vm1", command: "ping -c 1 -t 1 -W 2 fd00:1:2::14", keep: received },
  { name: "TTL 1 reaches the router itself", vm: "vm1", command: "ping -c 1 -t 1 -W 2 10.1.1.1", keep: received },
  { name: "traceroute", vm: "vm1", command: "traceroute -n -q 1 -w 2 10.1.2.14", keep: /^ ?\d+ / },
  { name: "traceroute over IPv6", vm: "vm1", command: "traceroute -6 -n -q 1 -w 2 fd00:1:2::14", keep: /^ ?\d+ / },
  { name: "traceroute with TCP", vm: "vm1", command: "traceroute -T -n -q 1 -w 2 10.1.2.14", keep: /^ ?\d+ / },
  { name: "no route", vm: "vm1", command: "ping -c 3 -i 1 -W 2 192.0.2.77", keep: /From/ },
  { name: "no route over IPv6", vm: "vm1", command: "ping -c 1 -W 2 fd00:9::9", keep: received },
  { name: "too big, DF set", vm: "vm1", command: "ping -c 1 -W 2 -M do -s 1380 10.1.2.14", keep: received },
  { name: "too big over IPv6", vm: "vm1", command: "ping -c 1 -W 2 -M do -s 1380 fd00:1:2::13", keep: received },
  {
    name: "too big, DF clear: fragmented on the way",
    vm: "vm2",
    command: "ping -c 2 -i 0.2 -W 2 -M dont -s 1380 10.1.2.13",
    keep: received,
  },
  {
    name: "fragments made by the sender",
    vm: "vm1",
    command: "ping -c 2 -i 0.2 -W 2 -s 3000 10.1.1.12",
    keep: received,
  },
  {
    name: "fragments made by the sender, across the router",
    vm: "vm2",
    command: "ping -c 2 -i 0.2 -W 2 -M dont -s 3000 10.1.2.14",
    keep: received,
  },
  { name: "fragments over IPv6", vm: "vm1", command: "ping -c 2 -i 0.2 -W 2 -s 3000 fd00:1:1::12", keep: received },
  { name: "nobody has the address", vm: "vm1", command: "ping -c 1 -W 9 10.1.2.99", keep: received },
  { name: "nobody has the IPv6 address", vm: "vm1", command: "ping -c 1 -W 9 fd00:1:2::99", keep: received },
  {
    name: "UDP to a closed port of a VM",
    vm: "vm1",
    command: "traceroute -n -q 1 -w 2 -f 3 -m 3 -p 9 10.1.2.14",
    keep: /^ ?\d+ /,
  },
  {
    name: "the gateway's neighbor entry",
    vm: "vm3",
    command: "ping -c 1 -W 2 10.1.2.1 >/dev/null; ip neigh show 10.1.2.1 | cut -d' ' -f1-3",
    keep: /10\.1\.2\.1/,
  },
  {
    name: "a full TCP transfer finds the path's MTU",
    vm: "vm1",
    command: "iperf3 -c 10.1.2.13 -p 7000 -n 4M >/dev/null; echo sent $?",
    keep: /sent/,
  },
];

/** Hop by hop, one after the other: nothing depends on which probe comes first. */
const steps = "traceroute -n -q 1 -N 1";

/**
 * Where a way ends in something else than a delivery, the routers before its end look at the TTL all the same, and the router where it
 * ends when that comes after its own check (`second-router.ts`). Each case has addresses of its own: no flow of another decides it.
 */
const ends: readonly Case[] = [
  { name: "TTL 1 and nobody has the address", vm: "vm1", command: "ping -c 1 -t 1 -W 2 10.1.2.91", keep: received },
  {
    name: "hop limit 1 and nobody has the address",
    vm: "vm1",
    command: "ping -c 1 -t 1 -W 2 fd00:1:2::91",
    keep: received,
  },
  { name: "traceroute to nobody", vm: "vm1", command: `${steps} -w 9 -m 3 10.1.2.92`, keep: /^ ?\d+ / },
  { name: "traceroute to nobody over IPv6", vm: "vm1", command: `${steps} -6 -w 9 -m 3 fd00:1:2::92`, keep: /^ ?\d+ / },
  { name: "a second router rejects", vm: "vm1", command: `${steps} -w 2 -m 3 10.2.1.9`, keep: /^ ?\d+ / },
  {
    name: "a second router rejects over IPv6",
    vm: "vm1",
    command: `${steps} -6 -w 2 -m 3 fd00:2:1::9`,
    keep: /^ ?\d+ /,
    differs: {
      why: "RFC 4443 3.1 has a code for it, 6; Linux says 1, prohibited",
      weft: /^ 1 {2}fd00:1:1::1 ms\n 2 {2}fd00:1:9::2 ms !<6>$/,
    },
  },
  { name: "a second router has a blackhole", vm: "vm1", command: `${steps} -w 1 -m 3 10.2.2.9`, keep: /^ ?\d+ / },
  { name: "and over IPv6", vm: "vm1", command: `${steps} -6 -w 1 -m 3 fd00:2:2::9`, keep: /^ ?\d+ / },
  {
    name: "a flow of the blackhole is there before TTL 1 comes",
    vm: "vm1",
    command: "ping -c 2 -i 0.2 -W 1 10.2.2.10 >/dev/null; ping -c 1 -t 1 -W 2 10.2.2.10",
    keep: received,
  },
  { name: "a second router has no route", vm: "vm1", command: `${steps} -w 2 -m 3 10.2.3.9`, keep: /^ ?\d+ / },
  { name: "nor one over IPv6", vm: "vm1", command: `${steps} -6 -w 2 -m 3 fd00:2:3::9`, keep: /^ ?\d+ / },
  { name: "a loop of two routers", vm: "vm1", command: `${steps} -w 2 -m 2 10.2.4.9`, keep: /^ ?\d+ / },
  { name: "a loop of two routers over IPv6", vm: "vm1", command: `${steps} -6 -w 2 -m 2 fd00:2:4::9`, keep: /^ ?\d+ / },
  { name: "all TTL used up in a loop", vm: "vm1", command: "ping -c 1 -W 2 10.2.4.10", keep: received },
  { name: "and the hop limit", vm: "vm1", command: "ping -c 1 -W 2 fd00:2:4::10", keep: received },
  { name: "a TTL that ends at the first", vm: "vm1", command: "ping -c 1 -t 5 -W 2 10.2.4.11", keep: /loss/ },
  { name: "a filter behind the router", vm: "vm1", command: `${steps} -w 1 -m 3 10.1.2.66`, keep: /^ ?\d+ / },
  {
    name: "a filter behind the router over IPv6",
    vm: "vm1",
    command: `${steps} -6 -w 1 -m 3 fd00:1:2::66`,
    keep: /^ ?\d+ /,
  },
  { name: "TTL 1 for the second router", vm: "vm1", command: "ping -c 1 -t 1 -W 2 10.1.9.2", keep: received },
  { name: "hop limit 1 for the second router", vm: "vm1", command: "ping -c 1 -t 1 -W 2 fd00:1:9::2", keep: received },
  { name: "TTL 2 for the second router", vm: "vm1", command: "ping -c 1 -t 2 -W 2 10.1.9.2", keep: received },
  { name: "hop limit 2 for the second router", vm: "vm1", command: "ping -c 1 -t 2 -W 2 fd00:1:9::2", keep: received },
];

/** The kernel gives up after three requests, one a second. */
const agentArgs = ["--neighbor-retry", "1s", "--neighbor-give-up", "3s"];

describe("weft beside the kernel", { skip: needs("root", "traceroute", "iperf3") }, () => {
  let lab: Lab;
  let twin: KernelTwin;

  before(async () => {
    const options = {
      scheduler: systemScheduler,
      prng: new Prng(process.pid),
      onLost: (sentence: string) => console.error(sentence),
      agentArgs,
    };
    lab = unwrap(Lab.claim(options));
    unwrap(lab.build());
    unwrap(await lab.serve());
    unwrap(await lab.createTenant());
    const narrow = lab.plan.bridges.find((bridge) => bridge.name === "db");
    unwrap(await lab.client.patch("port", narrow?.routerPortId ?? "", { mtu: NARROW_MTU }));
    await addSecondRouter(lab.client, lab.plan);
    twin = new KernelTwin(lab.plan);
    twin.build({ bridge: "db", mtu: NARROW_MTU });
    addSecondKernelRouter(twin);
    for (const vm of lab.plan.vms) for (const namespace of [vm.namespace, twin.namespace(vm.name)]) unlimit(namespace);
    for (const vm of lab.plan.vms.filter(({ name }) => name === "vm3")) {
      for (const namespace of [vm.namespace, twin.namespace(vm.name)]) listen(namespace);
    }
  });

  after(async () => {
    for (const child of listeners) child.kill();
    twin?.remove();
    await lab?.down();
  });

  for (const one of [...cases, ...ends]) {
    it(`${one.name}: \`${one.command}\``, async () => {
      const vm = lab.plan.vms.find(({ name }) => name === one.vm);
      const [weft, kernel] = await Promise.all([seen(vm?.namespace ?? "", one), seen(twin.namespace(one.vm), one)]);
      if (one.differs !== undefined) assert.match(weft, one.differs.weft, one.differs.why);
      else assert.equal(weft, kernel);
    });
  }
});

const listeners: ReturnType<typeof spawn>[] = [];

function listen(namespace: string): void {
  listeners.push(spawn("ip", ["netns", "exec", namespace, "iperf3", "-s", "-p", "7000"], { stdio: "ignore" }));
}

/** VMs answer every probe of a traceroute, however fast they come. */
function unlimit(namespace: string): void {
  const settings = ["net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"];
  spawnSync("ip", ["netns", "exec", namespace, "sysctl", "-qw", ...settings]);
}

async function seen(namespace: string, one: Case): Promise<string> {
  const child = spawn("ip", ["netns", "exec", namespace, "sh", "-c", one.command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  const lines = normalize(text).split("\n");
  return [...new Set(lines.filter((line) => one.keep.test(line)))].join("\n");
}

/** Leaves out what no two runs share: times, and which of several packets an error was for (kernels limit their rate). */
function normalize(text: string): string {
  return text
    .replace(/time[= ]?[\d.]+ ?ms/g, "time")
    .replace(/\s+[\d.]+ ms/g, " ms")
    .replace(/(From .*) icmp_seq=\d+/g, "$1")
    .replace(/, time$/gm, "");
}
