import type { Scheduler, Timer } from "../../../base/scheduler.ts";
import { linkMonitorRetryMs } from "../../limits.ts";
import type { RequestBroker } from "../broker.ts";
import type { MessageReader } from "../message-reader.ts";
import { NotificationSource } from "../notifications.ts";
import type { NetlinkPort } from "../port.ts";
import { ValueStream } from "../value-stream.ts";
import { type Link, listLinks, readLink } from "./link.ts";
import { routeMessage } from "./types.ts";

/** A change of the links of a namespace. A renamed link is `changed`; a re-created one is `gone` and `new`. */
export type LinkEvent =
  | { readonly kind: "new"; readonly link: Link }
  | { readonly kind: "changed"; readonly link: Link; readonly before: Link }
  | { readonly kind: "gone"; readonly link: Link };

/** What a monitor works with. */
export interface LinkMonitorSettings {
  /** A rtnetlink port that has joined `routeGroup.link`; owned by the monitor. */
  readonly notifications: NetlinkPort;
  /** A rtnetlink broker of the same namespace, for listing; not owned. */
  readonly broker: RequestBroker;
  readonly scheduler: Scheduler;
  /** Called for each change, in order; the first listing makes every link `new`. */
  readonly onEvent: (event: LinkEvent) => void;
}

/**
 * Knows the links of one namespace, and tells of every change. When notifications were lost it lists the links again
 * and tells of the differences, so that nothing is missed but states between two listings. Of a link that a
 * notification
 * names while a listing runs, the notifications count: whatever the listing saw of it has a notification of its own.
 */
export class LinkMonitor {
  /** Times that the links were listed again after a loss. */
  relisted = 0;
  readonly #source: NotificationSource;
  readonly #settings: LinkMonitorSettings;
  readonly #links = new Map<number, Link>();
  #listing: "idle" | "running" | "again" = "idle";
  /** Links that notifications named while a listing ran: the listing is older than they are. */
  readonly #touched = new Set<number>();
  #retry: Timer | undefined;
  #isOpen = true;

  constructor(settings: LinkMonitorSettings) {
    this.#settings = settings;
    this.#source = new NotificationSource(settings.notifications, {
      onMessage: (message) => this.#onMessage(message),
      onOverrun: () => {
        this.relisted++;
        this.#list();
      },
    });
    this.#list();
  }

  /** The links as known now, by ifindex. */
  get links(): ReadonlyMap<number, Link> {
    return this.#links;
  }

  /** The link of this name, as known now. */
  byName(name: string): Link | undefined {
    for (const link of this.#links.values()) if (link.name === name) return link;
    return undefined;
  }

  /** Overruns of the notification socket. */
  get overruns(): number {
    return this.#source.counters.get("netlink_overruns");
  }

  /** Ends it. No event comes after this. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#retry?.cancel();
    this.#source.close();
  }

  #list(): void {
    if (!this.#isOpen) return;
    if (this.#listing !== "idle") {
      this.#listing = "again";
      return;
    }
    this.#listing = "running";
    this.#touched.clear();
    void this.#settings.broker.run(listLinks()).then((listed) => {
      if (!this.#isOpen) return;
      const isOutdated = this.#listing === "again";
      this.#listing = "idle";
      if (isOutdated) return this.#list();
      if (listed.ok) return this.#replace(listed.value);
      this.#retry = this.#settings.scheduler.after(linkMonitorRetryMs, () => this.#list());
    });
  }

  #replace(listed: readonly Link[]): void {
    const present = new Set(listed.map((link) => link.ifindex));
    for (const link of [...this.#links.values()]) {
      if (!present.has(link.ifindex) && !this.#touched.has(link.ifindex)) this.#gone(link.ifindex);
    }
    for (const link of listed) if (!this.#touched.has(link.ifindex)) this.#seen(link);
    this.#touched.clear();
  }

  #onMessage(message: MessageReader): void {
    const link = readLink(message);
    if (link === undefined) return;
    if (this.#listing !== "idle") this.#touched.add(link.ifindex);
    if (message.type === routeMessage.delLink) this.#gone(link.ifindex);
    else this.#seen(link);
  }

  #seen(link: Link): void {
    const before = this.#links.get(link.ifindex);
    if (before !== undefined && isSame(before, link)) return;
    this.#links.set(link.ifindex, link);
    this.#settings.onEvent(before === undefined ? { kind: "new", link } : { kind: "changed", link, before });
  }

  #gone(ifindex: number): void {
    const link = this.#links.get(ifindex);
    if (link === undefined) return;
    this.#links.delete(ifindex);
    this.#settings.onEvent({ kind: "gone", link });
  }
}

/** The changes of a namespace's links as a stream; `stop` is called when its reader leaves. */
export function linkEventStream(settings: Omit<LinkMonitorSettings, "onEvent">): ValueStream<LinkEvent> {
  const stream: ValueStream<LinkEvent> = new ValueStream(() => monitor.close());
  const monitor = new LinkMonitor({ ...settings, onEvent: (event) => stream.push(event) });
  return stream;
}

function isSame(a: Link, b: Link): boolean {
  const fields: readonly (keyof Link)[] = [
    "name",
    "flags",
    "mtu",
    "operState",
    "hasCarrier",
    "masterIfindex",
    "peerIfindex",
    "peerNetnsId",
    "kind",
  ];
  return fields.every((field) => a[field] === b[field]) && `${a.mac}` === `${b.mac}`;
}
