import type { StoreServerCounters } from "./counters.ts";

/** What a four letter word can tell about. */
export interface ServerFacts {
  readonly zxid: number;
  readonly counters: StoreServerCounters;
  readonly isFull: boolean;
}

const version = "weft store server 0.1.0 (ZooKeeper 3.9 protocol)";

/** Answers an administrator's four letter word, or undefined for what is none. Text as Apache's, so that its tools read it. */
export function fourLetterWord(word: string, facts: ServerFacts): string | undefined {
  switch (word) {
    case "ruok":
      return "imok";
    case "isro":
      return facts.isFull ? "ro" : "rw";
    case "srvr":
    case "stat":
      return serverText(facts);
    case "mntr":
      return monitorText(facts);
    case "conf":
    case "cons":
    case "dump":
    case "envi":
    case "wchs":
      return `${word} is not executed because it is not in the whitelist.\n`;
    default:
      return undefined;
  }
}

function serverText({ zxid, counters }: ServerFacts): string {
  return `Zookeeper version: ${version}
Received: ${counters.get("store_requests")}
Connections: ${counters.get("store_connections")}
Outstanding: 0
Zxid: 0x${zxid.toString(16)}
Mode: standalone
Node count: ${counters.get("store_nodes")}
`;
}

function monitorText({ zxid, counters, isFull }: ServerFacts): string {
  const apache = {
    zk_version: version,
    zk_server_state: "standalone",
    zk_znode_count: counters.get("store_nodes"),
    zk_watch_count: counters.get("store_watches"),
    zk_num_alive_connections: counters.get("store_connections"),
    zk_global_sessions: counters.get("store_sessions"),
    zk_packets_received: counters.get("store_requests"),
    zk_approximate_data_size: counters.get("store_bytes"),
    weft_zxid: zxid,
    weft_disk_full: isFull ? 1 : 0,
  };
  const own = Object.fromEntries(Object.entries(counters.snapshot()).map(([name, value]) => [`weft_${name}`, value]));
  return Object.entries({ ...apache, ...own })
    .map(([name, value]) => `${name}\t${value}\n`)
    .join("");
}
