import { err, ok, type Result } from "../base/result.ts";
import { INVERTIBLE_FIELDS } from "../model/schema/condition.ts";
import { type CliError, usageError } from "./cli-error.ts";
import { type BodyPart, type FieldFlag, type FlagValue, itemsOf, wholeNumber } from "./field-flag.ts";
import type { Names } from "./names.ts";
import { etherTypeOf, protocolOf } from "./protocols.ts";

/** Flags that make up the condition of a rule. In an update they are the whole new condition. */
export const CONDITION_FLAGS: readonly FieldFlag[] = [
  portsFlag("--in-port <port>", "inPortIds", "entered the device by this port; may be repeated"),
  portsFlag("--out-port <port>", "outPortIds", "leaves the device by this port; may be repeated"),
  flag("--ethertype <type>", "ipv4, ipv6, arp or a number", (text) =>
    named({ flags: "--ethertype", field: "etherType", read: etherTypeOf }, text),
  ),
  flag("--source-mac <mac[/mask]>", "source MAC address", (text) => ok({ sourceMac: macMatch(text) })),
  flag("--destination-mac <mac[/mask]>", "destination MAC address", (text) => ok({ destinationMac: macMatch(text) })),
  flag("--vlan <id>", "outermost VLAN, 0 for none", (text) => number("--vlan", text, "vlan")),
  flag("--source <prefix>", "source prefix of either family", (text) => ok({ source: text })),
  flag("--destination <prefix>", "destination prefix of either family", (text) => ok({ destination: text })),
  flag("--protocol <name>", "tcp, udp, icmp, icmp6, sctp or a number", (text) =>
    named({ flags: "--protocol", field: "protocol", read: protocolOf }, text),
  ),
  flag("--dscp <number>", "DSCP", (text) => number("--dscp", text, "dscp")),
  flag("--source-port <from[-to]>", "source ports, or ICMP types", (text) =>
    range("--source-port", text, "sourcePorts"),
  ),
  flag("--destination-port <from[-to]>", "destination ports, or ICMP codes", (text) =>
    range("--destination-port", text, "destinationPorts"),
  ),
  flag("--fragments <which>", "any, whole, header or later", (text) => ok({ fragments: text })),
  {
    flags: "--not <field>",
    help: "inverts one of the flags above, such as --not source; may be repeated",
    use: "both",
    isList: true,
    read: async (value) => invertedFields(value),
  },
  {
    flags: "--negate",
    help: "inverts the whole condition",
    use: "both",
    read: async () => ok({ condition: { negated: true } }),
  },
];

type Read = (text: string) => Result<BodyPart, CliError>;

function flag(flags: string, help: string, read: Read): FieldFlag {
  return {
    flags,
    help,
    use: "both",
    read: async (value) => {
      const part = read(String(value));
      return part.ok ? ok({ condition: part.value }) : part;
    },
  };
}

function portsFlag(flags: string, field: string, help: string): FieldFlag {
  return {
    flags,
    help,
    use: "both",
    isList: true,
    read: async (value, names) => {
      const ids = await portIds(value, names);
      return ids.ok ? ok({ condition: { [field]: ids.value } }) : ids;
    },
  };
}

async function portIds(value: FlagValue, names: Names): Promise<Result<readonly string[], CliError>> {
  const ids: string[] = [];
  for (const text of itemsOf(value)) {
    const id = await names.idOf("port", text);
    if (!id.ok) return id;
    ids.push(id.value);
  }
  return ok(ids);
}

interface NamedNumber {
  readonly flags: string;
  readonly field: string;
  read(text: string): Result<number, string>;
}

function named({ flags, field, read }: NamedNumber, text: string): Result<BodyPart, CliError> {
  const value = read(text);
  return value.ok ? ok({ [field]: value.value }) : err(usageError(`${flags}: ${text}: expected ${value.error}`));
}

function number(flags: string, text: string, field: string): Result<BodyPart, CliError> {
  const value = wholeNumber(flags, text);
  return value.ok ? ok({ [field]: value.value }) : value;
}

function range(flags: string, text: string, field: string): Result<BodyPart, CliError> {
  const [, from, to = from] = /^([0-9]{1,5})(?:[-:]([0-9]{1,5}))?$/.exec(text) ?? [];
  if (from === undefined) return err(usageError(`${flags}: ${text}: expected a number or a range such as 80-90`));
  return ok({ [field]: { from: Number(from), to: Number(to) } });
}

function macMatch(text: string): BodyPart {
  const [mac = "", mask] = text.split("/");
  return mask === undefined ? { mac } : { mac, mask };
}

/** Flags are named as people type them, fields as the API does. */
const FIELD_OF_FLAG: Readonly<Record<string, string>> = {
  "in-port": "inPortIds",
  "out-port": "outPortIds",
  ethertype: "etherType",
  "source-mac": "sourceMac",
  "destination-mac": "destinationMac",
  "source-port": "sourcePorts",
  "destination-port": "destinationPorts",
};

function invertedFields(value: FlagValue): Result<BodyPart, CliError> {
  const fields = itemsOf(value).map((name) => FIELD_OF_FLAG[name.replace(/^--/, "")] ?? name);
  const stranger = fields.find((field) => !(INVERTIBLE_FIELDS as readonly string[]).includes(field));
  if (stranger === undefined) return ok({ condition: { inverted: fields } });
  return err(
    usageError(`--not: ${stranger}: expected the name of a flag of the condition, such as source or protocol`),
  );
}
