import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { gunzipSync } from "node:zlib";
import { formatIp, type Ip, ipFromV4, ipFromWords, isV4, parseIp } from "../addr/ip.ts";
import type { HostFacts, LinkFact, PinFact, RouteFact } from "./doctor/host-facts.ts";

/** BPF_FS_MAGIC of linux/magic.h. */
const BPFFS_MAGIC = 0xcafe4a11;
const BPFFS = "/sys/fs/bpf";
/** What the datapath needs of the kernel: its name, its option, its module. */
const PARTS = [
  ["VXLAN", "CONFIG_VXLAN", "vxlan"],
  ["clsact", "CONFIG_NET_SCH_INGRESS", "sch_ingress"],
  ["cls_bpf", "CONFIG_NET_CLS_BPF", "cls_bpf"],
  ["veth", "CONFIG_VETH", "veth"],
] as const;

/** Reads what the doctor judges of this host, in the network namespace of this process. Never fails: what cannot be read is absent. */
export async function readHostFacts(addresses: readonly string[]): Promise<HostFacts> {
  const network = await readNetwork(addresses);
  return {
    kernel: release(),
    arch: process.arch,
    capabilities: capabilities(),
    isBpffs: isBpffs(),
    jit: readText("/proc/sys/net/core/bpf_jit_enable")?.trim(),
    modules: modules(release()),
    rpFilters: rpFilters(),
    pins: await readPins(),
    ...network,
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function capabilities(): readonly number[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status") ?? "")?.[1] ?? "0"}`);
  return Array.from({ length: 64 }, (_, number) => number).filter((number) => ((mask >> BigInt(number)) & 1n) === 1n);
}

function isBpffs(): boolean {
  try {
    return statfsSync(BPFFS).type >>> 0 === BPFFS_MAGIC;
  } catch {
    return false;
  }
}

/** Built in, or loaded, or there to be loaded. Unknown where neither the kernel's options nor its modules can be read. */
function modules(kernel: string): ReadonlyMap<string, boolean | undefined> {
  const options = kernelOptions(kernel);
  const files = readText(`/lib/modules/${kernel}/modules.dep`);
  const found = PARTS.map(([name, option, module]): readonly [string, boolean | undefined] => {
    const value = options === undefined ? undefined : new RegExp(`^${option}=([ym])$`, "m").exec(options)?.[1];
    if (value === "y" || namesIn("/sys/module").includes(module)) return [name, true];
    if (files?.includes(`/${module}.ko`) === true) return [name, true];
    return [name, options === undefined || value === "m" ? undefined : false];
  });
  return new Map(found);
}

function kernelOptions(kernel: string): string | undefined {
  try {
    return gunzipSync(readFileSync("/proc/config.gz")).toString();
  } catch {
    return readText(`/boot/config-${kernel}`);
  }
}

function rpFilters(): ReadonlyMap<string, number> {
  const folder = "/proc/sys/net/ipv4/conf";
  return new Map(namesIn(folder).map((name) => [name, Number(readText(`${folder}/${name}/rp_filter`) ?? 0)]));
}

async function readPins(): Promise<readonly PinFact[]> {
  const folders = namesIn(`${BPFFS}/weft`).flatMap((lab) =>
    namesIn(`${BPFFS}/weft/${lab}`).map((host) => [lab, host] as const),
  );
  if (folders.length === 0) return [];
  const { lockOwner } = await import("../linux/flock.ts");
  const { isAlive } = await import("../linux/process.ts");
  return folders.map(([lab, host]) => {
    const owner = lockOwner(`/run/weft/${lab}/${host}.datapath.lock`);
    const path = `${BPFFS}/weft/${lab}/${host}`;
    return { path, owner: owner !== undefined && isAlive(owner) ? owner.pid : undefined };
  });
}

async function readNetwork(addresses: readonly string[]): Promise<Pick<HostFacts, "links" | "routes">> {
  const nothing = { links: [], routes: new Map<string, RouteFact | undefined>() };
  const { loadLibc } = await import("../linux/libc.ts");
  if (!loadLibc().ok) return nothing;
  const { NetlinkConnection } = await import("../linux/netlink/connection.ts");
  const { isAdminUp, listLinks } = await import("../linux/netlink/route/link.ts");
  const { listAddresses } = await import("../linux/netlink/route/address.ts");
  const { lookUpRoute } = await import("../linux/netlink/route/route-lookup.ts");
  const opened = NetlinkConnection.open();
  if (!opened.ok) return nothing;
  const connection = opened.value;
  const found = connection.run(listLinks());
  const owned = connection.run(listAddresses());
  const links = (found.ok ? found.value : []).map((link): LinkFact & { readonly ifindex: number } => ({
    ...{ ifindex: link.ifindex, name: link.name, mtu: link.mtu, isUp: isAdminUp(link) && link.hasCarrier },
    addresses: (owned.ok ? owned.value : [])
      .filter(({ ifindex }) => ifindex === link.ifindex)
      .map(({ address }) => formatIp(ipOf(address))),
  }));
  const routes = addresses.map((address): readonly [string, RouteFact | undefined] => {
    const ip = parseIp(address);
    const looked = ip.ok ? connection.run(lookUpRoute(bytesOf(ip.value))) : undefined;
    const route = looked?.ok === true ? looked.value : undefined;
    const link = links.find(({ ifindex }) => ifindex === route?.ifindex);
    if (route === undefined || link === undefined) return [address, undefined];
    const mtu = Math.min(link.mtu, route.mtu ?? link.mtu);
    const source = route.source === undefined ? undefined : formatIp(ipOf(route.source));
    return [address, { interfaceName: link.name, source, mtu }];
  });
  connection.close();
  return { links, routes: new Map(routes) };
}

function ipOf(bytes: Uint8Array): Ip {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return ipFromV4(view.getUint32(0));
  return ipFromWords(view.getUint32(0), view.getUint32(4), [view.getUint32(8), view.getUint32(12)]);
}

function bytesOf(ip: Ip): Uint8Array {
  const words = isV4(ip) ? [ip.w3] : [ip.w0, ip.w1, ip.w2, ip.w3];
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word);
  return bytes;
}
