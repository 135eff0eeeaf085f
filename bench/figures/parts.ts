import type { BenchGroup } from "../bench-group.ts";
import { benchNetlink } from "../netlink.ts";
import { benchZooKeeper } from "../zookeeper.ts";

/** The netlink library beside `ip -batch`. */
export const netlinkPart: BenchGroup = {
  name: "netlink",
  figures: ["netlink_link_dump_us", "netlink_ops_per_s"],
  isNative: true,
  run: () => benchNetlink(),
};

/** The ZooKeeper client on the embedded server and on Apache's. */
export const zooKeeperPart: BenchGroup = {
  name: "zookeeper",
  figures: ["zk_creates_per_s", "zk_gets_per_s", "zk_watch_event_cpu_us", "zk_write_latency_us"],
  isNative: false,
  run: () => benchZooKeeper(),
};
