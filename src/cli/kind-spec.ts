import { err, ok } from "../base/result.ts";
import type { Kind } from "../model/objects.ts";
import { usageError } from "./cli-error.ts";
import { CONDITION_FLAGS } from "./condition-flags.ts";
import {
  atCreation,
  choosing,
  constantFlag,
  type FieldFlag,
  itemsOf,
  listFlag,
  numberFlag,
  referenceFlag,
  textFlag,
} from "./field-flag.ts";

/** How the command line speaks of a kind of object. */
export interface KindSpec {
  readonly kind: Kind;
  readonly plural: string;
  /** Other words for it. */
  readonly aliases: readonly string[];
  /** Whether its objects have names: a creation takes it as its first word. */
  readonly naming: "required" | "optional" | "none";
  /** Whether `--tenant` applies. */
  readonly hasTenant: boolean;
  readonly flags: readonly FieldFlag[];
  /** Groups of flags, of each of which a creation needs one. */
  readonly needs?: readonly (readonly string[])[];
  /** A creation that can be pasted, without the program's name. */
  readonly example: string;
}

const up = [
  choosing(constantFlag("--up", { isUp: true }, "administratively up (the default)"), "state", "up"),
  choosing(constantFlag("--down", { isUp: false }, "administratively down"), "state", "down"),
];
const filters = [
  referenceFlag(
    "--inbound-filter <chain>",
    { field: "inboundFilterId", kind: "chain" },
    "chain for packets that enter the device, or none",
  ),
  referenceFlag(
    "--outbound-filter <chain>",
    { field: "outboundFilterId", kind: "chain" },
    "chain for packets that leave the device, or none",
  ),
];
const rename: FieldFlag = { ...textFlag("--name <name>", "name", "new name"), use: "update" };

const memberFlag: FieldFlag = {
  flags: "--member <host=address>",
  help: "host and its address on the underlay; may be repeated; in an update the whole list",
  use: "both",
  isList: true,
  read: async (value, names) => {
    const members: { readonly hostId: string; readonly address: string }[] = [];
    for (const text of itemsOf(value)) {
      const [host = "", address = ""] = text.split("=");
      if (address === "") return err(usageError(`--member: ${text}: expected HOST=ADDRESS`));
      const hostId = await names.idOf("host", host);
      if (!hostId.ok) return hostId;
      members.push({ hostId: hostId.value, address });
    }
    return ok({ members });
  },
};

const deviceOfPort: readonly FieldFlag[] = (["bridge", "router"] as const).map((kind) => {
  const flag = referenceFlag(`--${kind} <${kind}>`, { field: `${kind}Id`, kind }, `${kind} that it belongs to`);
  return choosing(atCreation(flag), "device", kind);
});

const side = [
  choosing(
    constantFlag("--external", { isExternal: true }, "bridge: its interface leads to a physical network"),
    "side of the interface",
    "external",
  ),
  choosing(
    constantFlag("--internal", { isExternal: false }, "bridge: its interface is a VM's (the default)"),
    "side of the interface",
    "internal",
  ),
];

const nextHop: readonly FieldFlag[] = [
  {
    flags: "--port <port>",
    help: "next hop: out of this port of the router",
    use: "both",
    choice: { of: "next hop", is: "port" },
    read: async (value, names) => {
      const id = await names.idOf("port", String(value));
      return id.ok ? ok({ nextHop: { type: "port", portId: id.value } }) : id;
    },
  },
  {
    flags: "--gateway <address>",
    help: "next router behind the port; without it the destination is on link",
    use: "both",
    choice: { of: "next hop", is: "port" },
    needs: { flag: "--port", remedy: "name the router's port behind which the gateway is with --port" },
    read: async (value) => ok({ nextHop: { gateway: String(value) } }),
  },
  choosing(
    constantFlag("--blackhole", { nextHop: { type: "blackhole" } }, "next hop: drop in silence"),
    "next hop",
    "blackhole",
  ),
  choosing(
    constantFlag("--reject", { nextHop: { type: "reject" } }, "next hop: answer with an ICMP error"),
    "next hop",
    "reject",
  ),
  choosing(constantFlag("--local", { nextHop: { type: "local" } }, "next hop: the router itself"), "next hop", "local"),
];

const ruleAction: readonly FieldFlag[] = [
  {
    flags: "--action <action>",
    help: "accept, drop, reject or return; reject is answered by routers with an ICMP error, at bridges it is a silent drop",
    use: "both",
    choice: { of: "action", is: "verdict" },
    read: async (value) => ok({ action: { type: String(value) } }),
  },
  {
    flags: "--jump <chain>",
    help: "in place of an action: go on in this chain",
    use: "both",
    choice: { of: "action", is: "jump" },
    read: async (value, names) => {
      const id = await names.idOf("chain", String(value));
      return id.ok ? ok({ action: { type: "jump", chainId: id.value } }) : id;
    },
  },
];

/** All kinds. */
export const KIND_SPECS: Readonly<Record<Kind, KindSpec>> = {
  host: {
    kind: "host",
    plural: "hosts",
    aliases: [],
    naming: "required",
    hasTenant: false,
    flags: [rename],
    example: "create host host3",
  },
  "tunnel-zone": {
    kind: "tunnel-zone",
    plural: "tunnel-zones",
    aliases: ["zone", "zones"],
    naming: "required",
    hasTenant: false,
    flags: [rename, numberFlag("--mtu <bytes>", "mtu", "largest IP packet of the underlay"), memberFlag],
    example: "create tunnel-zone underlay --mtu 1500 --member host1=192.0.2.1",
  },
  bridge: {
    kind: "bridge",
    plural: "bridges",
    aliases: [],
    naming: "required",
    hasTenant: true,
    flags: [rename, ...up, ...filters],
    example: "create bridge web --tenant blue",
  },
  router: {
    kind: "router",
    plural: "routers",
    aliases: [],
    naming: "required",
    hasTenant: true,
    flags: [rename, ...up, ...filters],
    example: "create router edge --tenant blue",
  },
  port: {
    kind: "port",
    plural: "ports",
    aliases: ["vport", "vports"],
    naming: "optional",
    hasTenant: true,
    flags: [
      rename,
      ...deviceOfPort,
      ...up,
      ...filters,
      numberFlag("--vlan <id>", "vlan", "bridge: access port of this VLAN, or none"),
      listFlag("--allowed-mac <address>", "allowedMacs", "bridge: source MAC that may enter; may be repeated"),
      listFlag("--allowed-address <prefix>", "allowedAddresses", "bridge: source IP that may enter; may be repeated"),
      ...side,
      textFlag("--mac <address>", "mac", "router: MAC address; made from the id when absent"),
      listFlag("--address <address/length>", "addresses", "router: address of either family; may be repeated"),
      numberFlag("--mtu <bytes>", "mtu", "router: largest IP packet"),
    ],
    needs: [["--bridge", "--router"]],
    example: "create port edge-web --router edge --address 10.0.1.1/24 --address fd00:1::1/64",
  },
  route: {
    kind: "route",
    plural: "routes",
    aliases: [],
    naming: "none",
    hasTenant: false,
    flags: [
      atCreation(
        referenceFlag("--router <router>", { field: "routerId", kind: "router" }, "router that it belongs to"),
      ),
      textFlag("--destination <prefix>", "destination", "where packets go"),
      textFlag("--source <prefix>", "source", "where packets come from; anywhere when absent"),
      numberFlag("--weight <number>", "weight", "the lowest wins, equal ones share"),
      ...nextHop,
    ],
    needs: [["--router"], ["--destination"], ["--port", "--blackhole", "--reject", "--local"]],
    example: "create route --router edge --destination 0.0.0.0/0 --port uplink --gateway 203.0.113.1",
  },
  chain: {
    kind: "chain",
    plural: "chains",
    aliases: [],
    naming: "required",
    hasTenant: true,
    flags: [rename],
    example: "create chain web-in",
  },
  rule: {
    kind: "rule",
    plural: "rules",
    aliases: [],
    naming: "none",
    hasTenant: false,
    flags: [
      atCreation(referenceFlag("--chain <chain>", { field: "chainId", kind: "chain" }, "chain that it belongs to")),
      numberFlag("--position <place>", "position", "place in the chain, from 1; at the end when absent"),
      ...ruleAction,
      ...CONDITION_FLAGS,
    ],
    needs: [["--chain"], ["--action", "--jump"]],
    example: "create rule --chain web-in --protocol tcp --destination-port 80-443 --action accept",
  },
};

/** The kind that a word of the command line means: singular, plural or alias. */
export function kindOfWord(word: string): KindSpec | undefined {
  return Object.values(KIND_SPECS).find((spec) => [spec.kind, spec.plural, ...spec.aliases].includes(word));
}

/** Every word for a kind, for suggestions. */
export function kindWords(): readonly string[] {
  return Object.values(KIND_SPECS).flatMap((spec) => [spec.kind, spec.plural]);
}

/** The name of an object that has one. */
export function nameIn(object: object): string | undefined {
  return "name" in object && typeof object.name === "string" ? object.name : undefined;
}
