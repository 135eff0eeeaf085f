import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { CAPTURED, type CapturedName, captured } from "../../src/wire/compliance/captured.ts";
import { ETHER_TYPE } from "../../src/wire/ethernet.ts";
import { type Frame, parseFrame } from "../../src/wire/frame.ts";
import { badChecksumsOf } from "../../src/wire/frame-checksum.ts";
import { isIcmpv4Error } from "../../src/wire/icmpv4.ts";
import { isIcmpv6Error } from "../../src/wire/icmpv6.ts";
import { isIpv4Fragment } from "../../src/wire/ipv4.ts";
import { IPV6_EXTENSIONS_MAX } from "../../src/wire/ipv6-extension.ts";
import { pcapFile } from "../../src/wire/pcap.ts";
import { FRAME_KINDS } from "../fixtures/frames.ts";
import { TSHARK_FIELDS } from "../fixtures/tshark-fields.ts";
import { needs } from "../needs.ts";

const SEPARATOR = "|";
const PREFERENCES = [
  "ip.check_checksum:TRUE",
  "udp.check_checksum:TRUE",
  "tcp.check_checksum:TRUE",
  "ip.defragment:FALSE",
  "ipv6.defragment:FALSE",
  "tcp.relative_sequence_numbers:FALSE",
];
/** Padding, which tshark lists among the options and `wire` does not. */
const PADDING: Readonly<Record<string, readonly number[]>> = { "ip.opt.type": [0], "ipv6.opt.type": [0, 1] };
const VLAN_FIELDS = ["vlan.priority", "vlan.dei", "vlan.id", "vlan.etype"] as const;
const SERVICE_FIELDS = ["ieee8021ad.priority", "ieee8021ad.dei", "ieee8021ad.id"] as const;
const EXTRA_FIELDS = [...VLAN_FIELDS, ...SERVICE_FIELDS, "udp.checksum.status", "_ws.malformed"];
const FIELDS = [...TSHARK_FIELDS.map(({ name }) => name), ...EXTRA_FIELDS].filter((f, i, all) => all.indexOf(f) === i);
/** Status of a UDP checksum that is right. */
const GOOD = 1;

interface Decoded {
  readonly name: string;
  readonly frame: Frame;
  readonly tshark: ReadonlyMap<string, readonly (number | string)[]>;
}

/** All frames, each read by `wire` and by tshark. */
function decodeAll(): readonly Decoded[] {
  const names = Object.keys(CAPTURED) as CapturedName[];
  const frames = [
    ...FRAME_KINDS.map(({ name, spec }) => ({ name, bytes: buildFrame(spec) })),
    ...names.map((name) => ({ name: `captured ${name}`, bytes: captured(name) })),
  ];
  const lines = runTshark(pcapFile(frames.map(({ bytes }) => bytes)));
  assert.equal(lines.length, frames.length, "tshark prints one line a frame");
  return frames.map(({ name, bytes }, i) => ({ name, frame: parseFrame(bytes), tshark: columnsOf(lines[i] ?? "") }));
}

function runTshark(pcap: Uint8Array): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "weft-tshark-"));
  try {
    const file = join(folder, "frames.pcap");
    writeFileSync(file, pcap);
    const preferences = PREFERENCES.flatMap((preference) => ["-o", preference]);
    const format = ["-n", "-T", "fields", "-E", "occurrence=a", "-E", `aggregator=${SEPARATOR}`, "-E", "separator=/t"];
    const fields = FIELDS.flatMap((field) => ["-e", field]);
    const run = spawnSync("tshark", ["-r", file, ...preferences, ...format, ...fields], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return run.stdout.split("\n").slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function columnsOf(line: string): ReadonlyMap<string, readonly (number | string)[]> {
  const columns = line.split("\t");
  return new Map(FIELDS.map((field, i) => [field, valuesOf(field, columns[i] ?? "")]));
}

function valuesOf(field: string, column: string): readonly (number | string)[] {
  if (column === "") return [];
  const values = column.split(SEPARATOR).map(plain);
  return values.filter((value) => typeof value === "string" || !(PADDING[field] ?? []).includes(value));
}

/** Numbers come in decimal or hexadecimal, facts as 1 or True, by the field and the version of tshark. */
function plain(text: string): number | string {
  if (text === "True") return 1;
  if (text === "False") return 0;
  return /^(0x[0-9a-f]+|[0-9]{1,10})$/.test(text) ? Number(text) : text;
}

/** True when tshark reads on where `wire` stops: in a quoted packet, a fragment, or one more extension header. */
function tsharkReadsOn({ layers }: Frame): boolean {
  if (layers.filter(({ header }) => header === "ipv6-extension").length === IPV6_EXTENSIONS_MAX) return true;
  return layers.some((layer) => {
    if (layer.header === "icmpv4") return isIcmpv4Error(layer.fields);
    if (layer.header === "icmpv6") return isIcmpv6Error(layer.fields);
    if (layer.header === "ndp") return layer.fields.kind === "redirect";
    if (layer.header === "ipv4") return isIpv4Fragment(layer.fields);
    return layer.header === "ipv6-extension" && layer.fields.kind === "fragment";
  });
}

function assertSame(decoded: Decoded, field: string, ours: readonly (number | string)[]): void {
  const theirs = decoded.tshark.get(field) ?? [];
  const compared = tsharkReadsOn(decoded.frame) ? theirs.slice(0, ours.length) : theirs;
  assert.deepEqual(compared, ours, `${field} of ${decoded.name}`);
}

describe("tshark, the second opinion", { skip: needs("tshark") }, () => {
  const decoded = needs("tshark") === false ? decodeAll() : [];
  it("reads the same value of every field in frames of every kind", () => {
    let compared = 0;
    for (const one of decoded) {
      for (const { name } of TSHARK_FIELDS) {
        const fields = TSHARK_FIELDS.filter((field) => field.name === name);
        const ours = one.frame.layers.flatMap((layer) => fields.flatMap(({ valuesOf: of }) => of(layer)));
        assertSame(one, name, ours);
        compared += ours.length;
      }
    }
    assert.ok(compared > 1200, `only ${compared} values were compared`);
  });
  it("reads the same tags, service tags apart", () => {
    for (const one of decoded) {
      const tags = one.frame.layers.map((layer, i) => ({ layer, before: one.frame.layers[i - 1] }));
      const rows = tags.flatMap(({ layer, before }) => {
        if (layer.header !== "vlan" || before === undefined || !("etherType" in before.fields)) return [];
        const { priority, dropEligible, vid, etherType } = layer.fields;
        const isService = before.fields.etherType === ETHER_TYPE.serviceVlan;
        return [{ isService, values: [priority, dropEligible ? 1 : 0, vid, etherType] }];
      });
      for (const [isService, names] of [
        [false, VLAN_FIELDS],
        [true, SERVICE_FIELDS],
      ] as const) {
        const wanted = rows.filter((row) => row.isService === isService);
        for (const [i, name] of names.entries()) {
          assertSame(
            one,
            name,
            wanted.flatMap(({ values }) => values[i] ?? []),
          );
        }
      }
    }
  });
  it("finds every checksum right that we call right, and no frame malformed", () => {
    for (const one of decoded) {
      assert.deepEqual(one.tshark.get("_ws.malformed"), [], one.name);
      assert.equal(one.frame.malformed, undefined, one.name);
      assert.deepEqual(badChecksumsOf(one.frame), [], one.name);
      const datagrams = one.frame.layers.filter((layer) => layer.header === "udp").length;
      // The kernel sends VXLAN over IPv4 without a UDP checksum: present is another matter than right.
      if (one.name === "captured vxlan" || datagrams === 0) continue;
      assert.deepEqual(
        one.tshark.get("udp.checksum.status"),
        Array.from({ length: datagrams }, () => GOOD),
        one.name,
      );
    }
  });
});
