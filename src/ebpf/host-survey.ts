import { listAddresses } from "../linux/netlink/route/address.ts";
import { getLink, type Link, listLinks } from "../linux/netlink/route/link.ts";
import { listRoutes } from "../linux/netlink/route/route.ts";
import type { HostNetwork } from "./host-network.ts";
import { SURVEY_ALL_FROM } from "./limits.ts";

/** RTN_UNICAST of rtnetlink(7). */
const UNICAST = 1;

/**
 * What a pass over ports has to know of the host's network, asked of the kernel as it is needed and at most once: a thousand ports
 * cost four lists, not four thousand. Good for one pass only.
 */
export class HostSurvey {
  readonly #host: HostNetwork;
  readonly #asksForAll: boolean;
  #links: Promise<ReadonlyMap<string, Link>> | undefined;
  #addressed: Promise<ReadonlySet<number>> | undefined;
  #defaults: Promise<ReadonlySet<number>> | undefined;

  /** `ports`: how many it is for. A few are asked for one by one: a host has thousands of links. */
  constructor(host: HostNetwork, ports: number) {
    this.#host = host;
    this.#asksForAll = ports >= SURVEY_ALL_FROM;
  }

  /** The link of this name, undefined when there is none. */
  async link(name: string): Promise<Link | undefined> {
    if (this.#asksForAll) {
      this.#links ??= this.#allLinks();
      return (await this.#links).get(name);
    }
    const found = await this.#host.run(getLink({ name }));
    return found.ok ? found.value : undefined;
  }

  /** Links may have changed, through ourselves for one: they are asked for again. */
  forgetLinks(): void {
    this.#links = undefined;
  }

  /** Whether the host has an address on the interface that reaches beyond the link. */
  async hasAddress(ifindex: number): Promise<boolean> {
    this.#addressed ??= this.#allAddressed();
    return (await this.#addressed).has(ifindex);
  }

  /** Whether a default route of the host leaves by the interface. */
  async hasDefaultRoute(ifindex: number): Promise<boolean> {
    this.#defaults ??= this.#allDefaults();
    return (await this.#defaults).has(ifindex);
  }

  async #allLinks(): Promise<ReadonlyMap<string, Link>> {
    const links = await this.#host.run(listLinks());
    return new Map(links.ok ? links.value.map((link) => [link.name, link]) : []);
  }

  async #allAddressed(): Promise<ReadonlySet<number>> {
    const addresses = await this.#host.run(listAddresses());
    const all = addresses.ok ? addresses.value : [];
    return new Set(all.filter(({ address }) => isGlobal(address)).map(({ ifindex }) => ifindex));
  }

  async #allDefaults(): Promise<ReadonlySet<number>> {
    const found = new Set<number>();
    for (const version of ["ipv4", "ipv6"] as const) {
      const routes = await this.#host.run(listRoutes(version));
      for (const route of routes.ok ? routes.value : [])
        if (route.prefixLength === 0 && route.type === UNICAST && route.ifindex !== undefined) found.add(route.ifindex);
    }
    return found;
  }
}

function isGlobal(address: Uint8Array): boolean {
  return !(address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80);
}
