import { formatIp, type Ip, parseIp } from "../addr/ip.ts";
import { formatMac, type Mac, parseMac } from "../addr/mac.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { NeighborEntry } from "./neighbor-table.ts";

/**
 * The replicated maps of devices: their names, how keys and values are written in the store, and which opinion wins. Shaped as
 * the store's `MapKind`, which knows none of them. Texts are for people too: they are read with the stock ZooKeeper CLI.
 */
export interface DeviceMapKind<K, V> {
  readonly name: DeviceMapName;
  /** Newest learned opinion; a configured one where nothing was learned. */
  readonly precedence: "newest-learned-then-configured";
  readonly key: DeviceMapText<K>;
  readonly value: DeviceMapText<V>;
}

/** A value as short text, both ways; the error says what was expected. */
export interface DeviceMapText<T> {
  format(value: T): string;
  parse(text: string): Result<T, string>;
}

/** `fdb` and `bridge-neighbor` belong to bridges, `neighbor` to routers. */
export type DeviceMapName = "fdb" | "bridge-neighbor" | "neighbor";

/** A MAC address within a VLAN of a bridge; `vlan` 0: untagged, or a bridge that is not VLAN-aware. */
export interface FdbKey {
  readonly vlan: number;
  readonly mac: Mac;
}

/** When a configured neighbor grows stale or expires: never (the last millisecond that a Date can have). */
export const NEVER = 8_640_000_000_000_000;

const macText: DeviceMapText<Mac> = {
  format: formatMac,
  parse: (text) => {
    const mac = parseMac(text);
    return mac.ok ? mac : err(mac.error.expected);
  },
};

const ipText: DeviceMapText<Ip> = {
  format: formatIp,
  parse: (text) => {
    const ip = parseIp(text);
    return ip.ok ? ip : err(ip.error.expected);
  },
};

const VLAN_MAX = 4095;

/** `02:00:00:00:00:01`, or `02:00:00:00:00:01@5` in VLAN 5. */
const fdbKeyText: DeviceMapText<FdbKey> = {
  format: ({ vlan, mac }) => (vlan === 0 ? formatMac(mac) : `${formatMac(mac)}@${vlan}`),
  parse: (text) => {
    const [address = "", number, ...rest] = text.split("@");
    const mac = macText.parse(address);
    if (!mac.ok) return mac;
    const vlan = number === undefined ? 0 : Number(number);
    const isVlan = number === undefined || (/^[1-9][0-9]{0,3}$/.test(number) && vlan <= VLAN_MAX);
    return isVlan && rest.length === 0
      ? ok({ vlan, mac: mac.value })
      : err("a MAC address, @ and a VLAN from 1 to 4095");
  },
};

/** The id of a port. */
const portText: DeviceMapText<string> = {
  format: (portId) => portId,
  parse: (text) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? ok(text) : err("the UUID of a port")),
};

/** `02:00:00:00:00:01@1700000000000@1700003600000`: MAC, stale at, expires at; a MAC alone never grows stale. */
const neighborText: DeviceMapText<NeighborEntry> = {
  format: ({ mac, staleAt, expiresAt }) =>
    staleAt === NEVER && expiresAt === NEVER
      ? formatMac(mac)
      : `${formatMac(mac)}@${Math.floor(staleAt)}@${Math.floor(expiresAt)}`,
  parse: (text) => {
    const [address = "", stale, expires, ...rest] = text.split("@");
    const mac = macText.parse(address);
    if (!mac.ok) return mac;
    if (stale === undefined) return ok({ mac: mac.value, staleAt: NEVER, expiresAt: NEVER });
    const areTimes = [stale, expires].every((time) => time !== undefined && /^[0-9]{1,16}$/.test(time));
    if (!areTimes || rest.length > 0) return err("a MAC address, or MAC@STALE@EXPIRES in Unix milliseconds");
    return ok({ mac: mac.value, staleAt: Number(stale), expiresAt: Number(expires) });
  },
};

const precedence = "newest-learned-then-configured";

/** Where the MAC addresses of a bridge are: the id of the port. */
export const FDB_MAP: DeviceMapKind<FdbKey, string> = { name: "fdb", precedence, key: fdbKeyText, value: portText };

/** MAC addresses of IP addresses as a bridge answers for them. */
export const BRIDGE_NEIGHBOR_MAP: DeviceMapKind<Ip, Mac> = {
  name: "bridge-neighbor",
  precedence,
  key: ipText,
  value: macText,
};

/** MAC addresses of IP addresses as a router has resolved them; a configured one serves where none was learned. */
export const NEIGHBOR_MAP: DeviceMapKind<Ip, NeighborEntry> = {
  name: "neighbor",
  precedence,
  key: ipText,
  value: neighborText,
};
