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
import { checkAgent } from "./agent-checks.ts";
import type { AgentFacts, PeerFact } from "./agent-facts.ts";
import { checkHost, checkPins } from "./host-checks.ts";
import type { HostFacts } from "./host-facts.ts";

/** What the doctor of a running agent looks at. */
export interface DoctorParts {
  readonly hostId: Id;
  readonly scheduler: Scheduler;
  readonly state: AgentState;
  readonly datapath: DatapathControl;
  readonly storeClient: StoreClientMetrics;
  readonly process: ProcessMetrics;
  readonly drops: DropHistory;
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

async function gather({ state, datapath, storeClient, scheduler, process, drops }: DoctorParts): Promise<AgentFacts> {
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
    peers: [...state.peers].flatMap(([hostId, peer]) => peerFact(memory, { hostId, peer }, scheduler.clock.now())),
    limits: limitUses(datapath, tableUse(memory)),
    queue: {
      packets: Math.max(0, ...queueUse(memory).map(({ packets }) => packets)),
      limit: UPCALL_CREDITS_PER_SHARD,
    },
    drops: recent.drops,
    dropsMs: recent.spanMs,
    lagMs: process.lagMs,
  };
}

function peerFact(
  memory: DatapathControl["memory"],
  { hostId, peer }: { readonly hostId: Id; readonly peer: number },
  now: number,
): readonly PeerFact[] {
  const address = peerAddress(memory, peer);
  if (address === undefined) return [];
  const { isUp, mtu, seenMs } = peerUse(memory, peer, now);
  const outerMtu = mtu + (isV4(address) ? OVERHEAD_V4 : OVERHEAD_V6);
  return [{ hostId, address: formatIp(address), isUp, seenMs, outerMtu }];
}
