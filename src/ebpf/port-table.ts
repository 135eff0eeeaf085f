import { type Mac, macFrom } from "../addr/mac.ts";
import type { PortOutcome, WantedPort } from "../datapath/datapath.ts";
import { CREDIT_BYTES_DEFAULT, CREDIT_PACKETS_DEFAULT } from "../datapath/limits.ts";
import { ABSENT_VPORT, isVport, VPORT_KIND, type VportRecord, writeVport } from "../datapath/records.ts";
import type { BpfMap } from "../linux/bpf/map.ts";
import { changeLink, getLink, isAdminUp, type Link, linkFlags } from "../linux/netlink/route/link.ts";
import { listFilters } from "../linux/netlink/route/traffic-control.ts";
import { disableIpv6 } from "../linux/sysctl.ts";
import { whyNotBound } from "./bindable.ts";
import type { HostNetwork } from "./host-network.ts";
import { HostSurvey } from "./host-survey.ts";
import { ATTACH_AT_ONCE } from "./limits.ts";

/** What a port table works on. */
export interface PortTableParts {
  readonly host: HostNetwork;
  readonly vports: Uint32Array;
  /** Vports by ifindex. */
  readonly interfaces: BpfMap;
  readonly ingressFd: number;
  readonly egressFd: number;
}

interface Port {
  readonly wanted: WantedPort;
  /** The interface on which the programs are; 0: none yet. */
  ifindex: number;
  refusal: string | undefined;
  /** Its record as it was written last. */
  record: VportRecord | undefined;
  /** What was told of it last, while nothing has been heard of its interface since. */
  outcome: PortOutcome | undefined;
}

const INGRESS_NAME = "vport_ingress";
const CREDITS = [CREDIT_PACKETS_DEFAULT, CREDIT_BYTES_DEFAULT] as const;

/** Binds vports to interfaces: attaches the programs, and keeps each vport's record as its link is. */
export class PortTable {
  readonly #parts: PortTableParts;
  readonly #ports = new Map<number, Port>();

  constructor(parts: PortTableParts) {
    this.#parts = parts;
  }

  /** The whole wanted set. Ports that are no longer named lose their programs; what an interface does not allow is told. */
  async set(wanted: readonly WantedPort[]): Promise<readonly PortOutcome[]> {
    const next = new Map(wanted.map((port) => [port.vport, port]));
    for (const [vport, port] of this.#ports) {
      const after = next.get(vport);
      const isRefused = port.wanted.isExternal === true && after?.isExternal !== true;
      if (isRefused || after?.interfaceName !== port.wanted.interfaceName) await this.#remove(vport, port);
    }
    const changed = wanted.filter((port) => this.#unchanged(port) === undefined);
    if (changed.length > 0) await this.#bindAll(changed);
    return wanted.map((port) => this.#unchanged(port) ?? this.#outcomeOf(port.vport));
  }

  /**
   * A link appeared or changed: the port that waits for it is attached, the record of its port follows. What is written is the link
   * as it is now: an older notification must not take a port down that was set up meanwhile.
   */
  async onLink(link: Link): Promise<void> {
    for (const port of this.#ports.values()) {
      if (port.wanted.interfaceName !== link.name) {
        if (port.ifindex === link.ifindex) await this.#release(port);
        continue;
      }
      port.outcome = undefined;
      if (port.ifindex !== link.ifindex) await this.#attach(port, link, new HostSurvey(this.#parts.host, 1));
      if (port.ifindex === link.ifindex) this.#write(port, await this.#fresh(link));
    }
  }

  /** A link is gone: nothing is sent to its number any more, which another link may get. */
  onGone(link: Link): void {
    for (const port of this.#ports.values()) if (port.ifindex === link.ifindex) this.#forget(port);
  }

  /** Puts right the records that are not as they were written; their vports. */
  audit(): readonly number[] {
    const { vports, interfaces } = this.#parts;
    const found = new Uint32Array(1);
    const foundBytes = new Uint8Array(found.buffer);
    const differing = [...this.#ports.values()].filter(({ wanted, ifindex, record }) => {
      if (record === undefined || ifindex === 0) return false;
      const isNamed = interfaces.lookup(u32Bytes(ifindex), foundBytes) && found[0] === wanted.vport;
      if (isNamed && isVport(vports, wanted.vport, record)) return false;
      interfaces.update(u32Bytes(ifindex), u32Bytes(wanted.vport));
      writeVport(vports, wanted.vport, { record, credits: CREDITS });
      return true;
    });
    return differing.map(({ wanted }) => wanted.vport);
  }

  /** Detaches every port. */
  async clear(): Promise<void> {
    for (const [vport, port] of this.#ports) await this.#remove(vport, port);
  }

  /** The outcome of a port that is attached as it is wanted: a thousand ports are not asked for when one more comes. */
  #unchanged(wanted: WantedPort): PortOutcome | undefined {
    const port = this.#ports.get(wanted.vport);
    const isSame = port?.wanted.interfaceName === wanted.interfaceName && port.wanted.epoch === wanted.epoch;
    return isSame && port.ifindex !== 0 ? port.outcome : undefined;
  }

  /** Side by side: what each waits for is the kernel, and requests that wait together go there together. */
  async #bindAll(wanted: readonly WantedPort[]): Promise<void> {
    const survey = new HostSurvey(this.#parts.host, wanted.length);
    const ports = wanted.map((port) => this.#keep(port));
    await sideBySide(ports, (port) => this.#bind(port, survey));
    survey.forgetLinks();
    await sideBySide(ports, (port) => this.#settle(port, survey));
  }

  #keep(wanted: WantedPort): Port {
    const ifindex = this.#ports.get(wanted.vport)?.ifindex ?? 0;
    const port: Port = { wanted, ifindex, refusal: undefined, record: undefined, outcome: undefined };
    this.#ports.set(wanted.vport, port);
    return port;
  }

  async #bind(port: Port, survey: HostSurvey): Promise<void> {
    const link = await survey.link(port.wanted.interfaceName);
    if (link !== undefined && port.ifindex !== link.ifindex) await this.#attach(port, link, survey);
  }

  /** Writes the record of a port as its link is after everything that was done to it. */
  async #settle(port: Port, survey: HostSurvey): Promise<void> {
    const { vport, interfaceName, epoch } = port.wanted;
    const link = await survey.link(interfaceName);
    if (link === undefined) {
      writeVport(this.#parts.vports, vport, { record: { ...ABSENT_VPORT, epoch }, credits: CREDITS });
      return;
    }
    if (port.refusal !== undefined || port.ifindex !== link.ifindex) return;
    this.#write(port, link);
    port.outcome = { vport, state: "attached", isUp: isUsable(link), mac: macOf(link), mtu: link.mtu };
  }

  #outcomeOf(vport: number): PortOutcome {
    const why = this.#ports.get(vport)?.refusal;
    return why === undefined ? { vport, state: "absent" } : { vport, state: "refused", why };
  }

  async #attach(port: Port, link: Link, survey: HostSurvey): Promise<void> {
    const { host, ingressFd, egressFd, interfaces } = this.#parts;
    const { vport } = port.wanted;
    port.refusal = await whyNotBound(link, { survey, isExternal: port.wanted.isExternal === true });
    if (port.refusal !== undefined) return;
    const { ifindex } = link;
    // After a restart our programs are there already: such a port stays as it is, and only its programs are replaced.
    const filters = await host.run(listFilters(ifindex, "ingress"));
    const isOurs = filters.ok && filters.value.some((filter) => filter.name === INGRESS_NAME);
    if (!isOurs) await this.#silence(link);
    const attached = await host.attachAll(ifindex, [
      { ifindex, hook: "egress", programFd: egressFd, name: "host_egress", vport },
      { ifindex, hook: "ingress", programFd: ingressFd, name: INGRESS_NAME, vport },
    ]);
    if (!attached.ok) {
      port.refusal = attached.error.text;
      await host.detach(ifindex);
      return;
    }
    if (!isOurs) await host.run(changeLink({ ifindex }, { isUp: true }));
    const told = interfaces.update(u32Bytes(ifindex), u32Bytes(vport));
    if (!told.ok) port.refusal = told.error.text;
    port.ifindex = ifindex;
  }

  /** The link as it is now: notifications of what was just changed may still be on their way. */
  async #fresh(link: Link): Promise<Link> {
    const found = await this.#parts.host.run(getLink({ ifindex: link.ifindex }));
    return (found.ok ? found.value : undefined) ?? link;
  }

  /** Keeps the host's own stack off the interface before the programs stand guard. */
  async #silence(link: Link): Promise<void> {
    const { host } = this.#parts;
    await host.run(changeLink({ ifindex: link.ifindex }, { isUp: false, usesArp: false, isMulticast: false }));
    disableIpv6(link.name, host.netns);
  }

  #write(port: Port, link: Link): void {
    const record: VportRecord = {
      ifindex: link.ifindex,
      kind: link.kind === "veth" ? VPORT_KIND.veth : link.kind === "tun" ? VPORT_KIND.tap : VPORT_KIND.other,
      isUp: isUsable(link),
      // The kernel drops silently what is redirected to a peer in the same namespace.
      mayRedirectPeer: link.kind === "veth" && link.peerNetnsId !== undefined && link.peerNetnsId >= 0,
      epoch: port.wanted.epoch,
    };
    port.record = record;
    writeVport(this.#parts.vports, port.wanted.vport, { record, credits: CREDITS });
  }

  #forget(port: Port): void {
    if (port.ifindex !== 0) this.#parts.interfaces.delete(u32Bytes(port.ifindex));
    port.ifindex = 0;
    port.outcome = undefined;
    const record = { ...ABSENT_VPORT, epoch: port.wanted.epoch };
    writeVport(this.#parts.vports, port.wanted.vport, { record, credits: CREDITS });
  }

  async #remove(vport: number, port: Port): Promise<void> {
    this.#ports.delete(vport);
    await this.#release(port);
  }

  /** Takes the programs off the port's interface; the port waits for one again. */
  async #release(port: Port): Promise<void> {
    const { ifindex } = port;
    this.#forget(port);
    if (ifindex !== 0) await this.#parts.host.detach(ifindex);
  }
}

/** Runs the work of all items, a bounded number at once. */
async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const next = items.values();
  const worker = async (): Promise<void> => {
    for (const item of next) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(ATTACH_AT_ONCE, items.length) }, worker));
}

/** Whether frames pass: set up, and with a carrier. */
export function isUsable(link: Link): boolean {
  return isAdminUp(link) && (link.flags & linkFlags.lowerUp) !== 0;
}

/** The MAC address of a link as a number; 0 when it has none. */
export function macOf(link: Link): Mac {
  const mac = link.mac;
  if (mac === undefined || mac.length < 6) return 0;
  const view = new DataView(mac.buffer, mac.byteOffset);
  return macFrom(view.getUint16(0), view.getUint32(2));
}

/** A word as a map's key or value. */
export function u32Bytes(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}
