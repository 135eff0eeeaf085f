import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { LinuxError } from "../linux/errno.ts";
import { RequestBroker } from "../linux/netlink/broker.ts";
import { netlinkProtocol } from "../linux/netlink/protocol.ts";
import type { NetlinkRequest } from "../linux/netlink/request.ts";
import type { Link } from "../linux/netlink/route/link.ts";
import { type LinkEvent, LinkMonitor } from "../linux/netlink/route/link-monitor.ts";
import { addClsact, attachBpf, deleteFilter, type FilterHook } from "../linux/netlink/route/traffic-control.ts";
import { routeGroup } from "../linux/netlink/route/types.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import type { Netns } from "../linux/netns.ts";

/** Place of weft's filters on every device: the same place is the same filter, so that a new program replaces the old in one step. */
const FILTER = { preference: 0x7765, handle: 1 } as const;

/** A program to attach. */
export interface Attachment {
  readonly ifindex: number;
  readonly hook: FilterHook;
  readonly programFd: number;
  readonly name: string;
  /** The program finds it as tc_classid. */
  readonly vport: number;
}

/** The network namespace of the host, through rtnetlink: requests without waiting, and the links as they change. */
export class HostNetwork {
  readonly netns: Netns | undefined;
  readonly #broker: RequestBroker;
  readonly #monitor: LinkMonitor;

  private constructor(netns: Netns | undefined, broker: RequestBroker, monitor: LinkMonitor) {
    this.netns = netns;
    this.#broker = broker;
    this.#monitor = monitor;
  }

  /** Opens the sockets in `netns` (default: the thread's own) and begins to watch the links. */
  static open(settings: {
    readonly scheduler: Scheduler;
    readonly netns: Netns | undefined;
    onEvent(event: LinkEvent): void;
  }): Result<HostNetwork, LinuxError> {
    const { netns, scheduler, onEvent } = settings;
    const socket = (groups: readonly number[]): Result<NetlinkSocket, LinuxError> => {
      const open = (): Result<NetlinkSocket, LinuxError> =>
        NetlinkSocket.open({ protocol: netlinkProtocol.route, groups });
      return netns === undefined ? open() : netns.runResult(open);
    };
    const requests = socket([]);
    if (!requests.ok) return requests;
    const notifications = socket([routeGroup.link]);
    if (!notifications.ok) {
      requests.value.close();
      return notifications;
    }
    const broker = new RequestBroker({ port: requests.value, scheduler });
    const monitor = new LinkMonitor({ notifications: notifications.value, broker, scheduler, onEvent });
    return ok(new HostNetwork(netns, broker, monitor));
  }

  /** Runs one request. */
  run<R>(request: NetlinkRequest<R>): Promise<Result<R, LinuxError>> {
    return this.#broker.run(request);
  }

  /** Runs requests in order; the first failure ends it, unless its errno is expected. */
  async runAll(
    requests: readonly NetlinkRequest<unknown>[],
    expected: readonly string[] = [],
  ): Promise<Result<void, LinuxError>> {
    for (const request of requests) {
      const done = await this.run(request);
      if (!done.ok && !expected.includes(done.error.errno)) return err(done.error);
    }
    return ok(undefined);
  }

  /** The link of this name, as known now. */
  link(name: string): Link | undefined {
    return this.#monitor.byName(name);
  }

  /** All links, as known now. */
  links(): Iterable<Link> {
    return this.#monitor.links.values();
  }

  /** Attaches programs, in order; those that were there before are replaced, each in one step. */
  async attachAll(ifindex: number, attachments: readonly Attachment[]): Promise<Result<void, LinuxError>> {
    const qdisc = await this.runAll([addClsact(ifindex)], ["EEXIST"]);
    if (!qdisc.ok) return qdisc;
    return this.runAll(
      attachments.map(({ hook, programFd, name, vport }) =>
        attachBpf({ ifindex, hook, ...FILTER, programFd, name, classId: vport }),
      ),
    );
  }

  /** Attaches a program; the one that was there before is replaced in one step. */
  attach(attachment: Attachment): Promise<Result<void, LinuxError>> {
    return this.attachAll(attachment.ifindex, [attachment]);
  }

  /** Takes weft's programs off a device; one that is not there is none to take. */
  async detach(ifindex: number): Promise<Result<void, LinuxError>> {
    const requests = (["ingress", "egress"] as const).map((hook) => deleteFilter({ ifindex, hook, ...FILTER }));
    return this.runAll(requests, ["ENOENT", "EINVAL", "ENODEV"]);
  }

  /** Closes the sockets. */
  close(): void {
    this.#monitor.close();
    this.#broker.close();
  }
}
