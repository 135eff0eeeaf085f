import { formatIp, isV4 } from "../../addr/ip.ts";
import type { AgentDoctor } from "../../api-schema/doctor-resource.ts";
import type { ProcessMetrics } from "../../base/process-metrics.ts";
import type { Scheduler } from "../../base/scheduler.ts";
import type { DatapathControl } from "../../datapath/datapath.ts";
import type { Id } from "../../model/objects.ts";
import type { StoreClientMetrics } from "../../store/store-client-metrics.ts";
import type { AgentState } from "../agent-state.ts";
import { limitUses } from "../collect-metrics.ts";
import { UPCALL_CREDITS_PER_SHARD } from "../core/limits.ts";
import { OVERHEAD_V4, OVERHEAD_V6 } from "../core/peers.ts";
import { peerAddress, peerUse, queueUse, tableUse, underlayAddress } from "../datapath-use.ts";
import type { DropHistory } from "../drop-history.ts";
import type { KeepAlives } from "../keep-alives.ts";
import { checkAgent } from "./agent-checks.ts";
import type { AgentFacts, PeerFact } from "./agent-facts.ts";
import { checkHost, checkPins } from "./host-checks.ts";
import type { HostFacts } from "./host-facts.ts";
import { PATHS_AT_ONCE } from "./limits.ts";

/** Bytes of the inner Ethernet header, which comes on top of the largest inner packet. */
const ETHERNET_BYTES = 14;

/** What the doctor of a running agent looks at. */
export interface DoctorParts {
  readonly hostId: Id;
  readonly scheduler: Scheduler;
  readonly state: AgentState;
  readonly datapath: DatapathControl;
  readonly storeClient: StoreClientMetrics;
  readonly process: ProcessMetrics;
  readonly drops: DropHistory;
  readonly keepAlives: Pick<KeepAlives, "states" | "probePath" | "refusedMs">;
  /** Folder below /sys/fs/bpf/weft that this agent shares with others of its kind. */
  readonly pinFolder: string;
  /** Reads what can be seen of the host; `addresses` are those whose routes are wanted. */
  readHost(addresses: readonly string[]): Promise<HostFacts>;
}

/** Looks at this host and its agent. */
export async function examine(parts: DoctorParts): Promise<AgentDoctor> {
  const facts = await gather(parts);
  const host = await parts.readHost(facts.peers.map(({ address }) => address));
  const pins = host.pins.filter(({ path }) => path.split("/").at(-2) === parts.pinFolder);
  const own = pins.find(({ path }) => path.endsWith(`/${parts.hostId}`))?.path ?? "";
  return {
    wall: Math.floor(parts.scheduler.clock.wall()),
    findings: [...checkHost(host), ...checkPins({ ...host, pins }, own), ...checkAgent(facts, host)],
  };
}

async function gather(parts: DoctorParts): Promise<AgentFacts> {
  const { state, datapath, storeClient, process, drops, scheduler } = parts;
  const { flows } = await state.status();
  const { memory } = datapath;
  const underlay = underlayAddress(memory);
  const recent = drops.recent();
  const { snapshotAt, isStoreEmptied } = state.sources;
  return {
    store: {
      state: storeClient.state,
      disconnectedMs: storeClient.disconnectedMs,
      sessionAgeMs: storeClient.sessionAgeMs,
      snapshotAgeMs: snapshotAt === undefined ? undefined : scheduler.clock.wall() - snapshotAt,
      isEmptied: isStoreEmptied,
    },
    doWorkersAnswer: flows !== undefined,
    version: state.version(),
    ports: state.ports(),
    underlay: underlay === undefined ? undefined : formatIp(underlay),
    peers: await peerFacts(parts),
    limits: limitUses(datapath, tableUse(memory), state.objects),
    queue: {
      packets: Math.max(0, ...queueUse(memory).map(({ packets }) => packets)),
      limit: UPCALL_CREDITS_PER_SHARD,
    },
    drops: recent.drops,
    dropsMs: recent.spanMs,
    lagMs: process.lagMs,
  };
}

/** Every peer, and whether a frame as long as the tunnel zone promises gets through to those that live. */
async function peerFacts(parts: DoctorParts): Promise<readonly PeerFact[]> {
  const { state, keepAlives } = parts;
  const lives = keepAlives.states();
  const facts: PeerFact[] = [];
  const peers = [...state.peers];
  for (let i = 0; i < peers.length; i += PATHS_AT_ONCE) {
    const some = peers.slice(i, i + PATHS_AT_ONCE);
    const known = some.map(([hostId, peer]) => peerFact(parts, { hostId, peer, life: lives.get(peer) }));
    facts.push(...(await Promise.all(known)).filter((fact) => fact !== undefined));
  }
  return facts;
}

async function peerFact(
  { datapath: { memory }, scheduler, keepAlives }: DoctorParts,
  { hostId, peer, life }: { readonly hostId: Id; readonly peer: number; readonly life: PeerFact["life"] },
): Promise<PeerFact | undefined> {
  const address = peerAddress(memory, peer);
  if (address === undefined) return undefined;
  const { isUp, mtu, seenMs } = peerUse(memory, peer, scheduler.clock.now());
  const outerMtu = mtu + (isV4(address) ? OVERHEAD_V4 : OVERHEAD_V6);
  const isWide = life === "alive" ? await keepAlives.probePath(peer, mtu + ETHERNET_BYTES) : undefined;
  const refusedMs = keepAlives.refusedMs(peer);
  return { hostId, address: formatIp(address), isUp, life, seenMs, outerMtu, isWide, refusedMs };
}
