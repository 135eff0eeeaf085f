import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { hasCommand } from "../../src/lab/command.ts";
import type { Space } from "../../src/lab/namespaces.ts";
import { until } from "../../src/lab/until.ts";
import { Load } from "../load/load.ts";
import { FIRST_TARGET, ROUTER_MAC } from "../routed-network.ts";
import type { BenchSite } from "../site.ts";
import { RULES } from "../weft-cloud.ts";

/** Name of this rival in figures. */
export const OPEN_VSWITCH = "Open vSwitch, user space";

const SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";
/** More flows than a run makes: the limit shall not be what is measured. */
const FLOW_LIMIT = 4_000_000;
const MAX_IDLE_MS = 10_000;
const READY_WITHIN_MS = 10_000;
const TARGET_MAC = "02:00:00:00:02:0a";

/** Why this rival cannot run here; undefined when it can. */
export function whyNoOpenVswitch(): string | undefined {
  const isThere = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl"].every(hasCommand);
  return isThere && existsSync(SCHEMA) ? undefined : "no Open vSwitch here: apt-get install openvswitch-switch";
}

/** An Open vSwitch of our own between a VM that sends and one that receives. */
export interface OpenVswitch {
  readonly sender: Load;
  readonly senderIface: string;
  readonly receivers: Space;
  readonly receiverIface: string;
  /** Flows that it has set up after a miss since it was started. */
  installed(): Promise<number>;
}

/**
 * Starts Open vSwitch's user-space datapath in a namespace and folder of its own, with a pipeline that does what weft's
 * simulation does: ten rules that read ports, routing (TTL, both MACs), ten rules again. The moves make it put source address
 * and both ports into every megaflow, as weft's filters do: each new 5-tuple is a flow of its own on either side.
 */
export async function startOpenVswitch(site: BenchSite): Promise<OpenVswitch> {
  const [own, near, far] = [site.space("ovs"), site.space("ovss"), site.space("ovst")];
  site.join({ from: { space: own, name: "p1" }, to: { space: near, name: "eth0" }, mtu: 1450 });
  site.join({ from: { space: own, name: "p2" }, to: { space: far, name: "eth0", mac: TARGET_MAC }, mtu: 1450 });
  const folder = site.of("ovs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = join(folder, "conf.db");
  const socket = `unix:${join(folder, "db.sock")}`;
  const control = (name: string): string => `--unixctl=${join(folder, `${name}.ctl`)}`;
  const run = (command: string, ...words: readonly string[]): Promise<string> =>
    site.run(["env", `OVS_RUNDIR=${folder}`, command, ...words], own, 20_000);
  const configure = (...words: readonly string[]): Promise<string> =>
    run("ovs-vsctl", "-t", "10", `--db=${socket}`, ...words);
  const start = (command: string, ...words: readonly string[]): void =>
    void site.startTool(["env", `OVS_RUNDIR=${folder}`, command, ...words, "-vconsole:emer"], own);

  await run("ovsdb-tool", "create", database, SCHEMA);
  start("ovsdb-server", database, `--remote=p${socket}`, control("ovsdb"));
  await exists(site, join(folder, "db.sock"));
  await configure("--no-wait", "init");
  const options = [`other_config:flow-limit=${FLOW_LIMIT}`, `other_config:max-idle=${MAX_IDLE_MS}`];
  await configure("--no-wait", "set", "Open_vSwitch", ".", ...options);
  start("ovs-vswitchd", socket, control("vswitchd"));
  await configure("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure");
  for (const port of [1, 2])
    await configure("add-port", "br0", `p${port}`, "--", "set", "interface", `p${port}`, `ofport_request=${port}`);
  await exists(site, join(folder, "br0.mgmt"));
  for (const flow of pipeline()) await run("ovs-ofctl", "add-flow", join(folder, "br0.mgmt"), flow);
  const installed = async (): Promise<number> => {
    const target = join(folder, "vswitchd.ctl");
    const report = await run("ovs-appctl", "-t", target, "dpif-netdev/pmd-stats-show");
    const counts = [...report.matchAll(/miss with success upcall: *(\d+)/g)].map(([, count]) => Number(count));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  return { sender: new Load(site, near), senderIface: "eth0", receivers: far, receiverIface: "eth0", installed };
}

function pipeline(): readonly string[] {
  const rules = (table: number): readonly string[] =>
    Array.from({ length: RULES - 1 }, (_, i) => `table=${table},priority=20,udp,tp_dst=${65_000 + i},actions=drop`);
  const reads =
    "move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],move:NXM_OF_IP_SRC[]->NXM_NX_REG1[]";
  const route = `dec_ttl,mod_dl_src:02:00:00:00:02:fe,mod_dl_dst:${TARGET_MAC}`;
  return [
    ...rules(0),
    `table=0,priority=10,udp,dl_dst=${ROUTER_MAC},nw_dst=${FIRST_TARGET},actions=${reads},${route},resubmit(,1)`,
    ...rules(1),
    "table=1,priority=10,ip,actions=output:2",
  ];
}

async function exists(site: BenchSite, path: string): Promise<void> {
  const options = { scheduler: site.scheduler, withinMs: READY_WITHIN_MS };
  const found = await until(options, () => (existsSync(path) ? true : undefined));
  if (found === undefined) throw new Error(`Open vSwitch has not made ${path}`);
}
