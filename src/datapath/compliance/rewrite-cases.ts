import type { ActionSpec } from "./action.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { C, D } from "./frames.ts";
import type { Scene } from "./scene.ts";

/** A rewrite: what comes in and what leaves, byte by byte. */
interface Rewrite {
  readonly name: string;
  readonly from: Uint8Array;
  readonly action: Omit<ActionSpec, "to">;
  /** Undefined: it is refused, and the frame dropped as rewrite-failed. */
  readonly to: Uint8Array | undefined;
}

const MACS = { dst: D.mac, src: C.mac } as const;
const PORTS = { src: 1, dst: 0xfffe } as const;
const V4_OPTIONS = [{ type: 148, content: new Uint8Array(2) }] as const;
const HOP_BY_HOP = { kind: "hop-by-hop", nextHeader: 0, options: [{ type: 5, content: new Uint8Array(2) }] } as const;
const AUTHENTICATION = {
  kind: "authentication",
  nextHeader: 0,
  spi: 256,
  sequence: 1,
  integrity: f.TEXT.slice(0, 12),
} as const;
const SCTP = Uint8Array.of(0x13, 0x88, 0x13, 0x89, 0, 0, 0, 1, 0, 0, 0, 0);
/** A time-exceeded error: type, code, checksum, unused, quoted bytes. */
const ICMP_ERROR = Uint8Array.of(11, 0, 0xf4, 0xff, 0, 0, 0, 0);

const MAC_REWRITES: readonly Rewrite[] = [
  { name: "nothing", from: f.udp4(), action: {}, to: f.udp4() },
  { name: "both MAC addresses", from: f.udp4(), action: { macs: MACS }, to: f.udp4({ macs: MACS }) },
  { name: "both MAC addresses of ARP", from: f.arp(), action: { macs: MACS }, to: f.arp({ macs: MACS }) },
  {
    name: "both MAC addresses of an unknown protocol",
    from: f.strange(),
    action: { macs: MACS },
    to: f.strange({ macs: MACS }),
  },
  {
    name: "of what is no IP packet only the MAC addresses",
    from: f.arp(),
    action: { macs: MACS, src: C.v4, dst: D.v4, ports: PORTS, decrementTtl: 1, dscp: 46 },
    to: f.arp({ macs: MACS }),
  },
];

const V4_REWRITES: readonly Rewrite[] = [
  { name: "source of UDP", from: f.udp4(), action: { src: C.v4 }, to: f.udp4({ v4: { src: C.v4 } }) },
  { name: "destination of UDP", from: f.udp4(), action: { dst: D.v4 }, to: f.udp4({ v4: { dst: D.v4 } }) },
  {
    name: "both addresses of TCP",
    from: f.tcp4(),
    action: { src: C.v4, dst: D.v4 },
    to: f.tcp4({ v4: { src: C.v4, dst: D.v4 } }),
  },
  {
    name: "addresses to the edges of their range",
    from: f.tcp4(),
    action: { src: 0, dst: 0xffff_ffff },
    to: f.tcp4({ v4: { src: 0, dst: 0xffff_ffff } }),
  },
  {
    name: "both addresses of an echo request, whose checksum does not cover them",
    from: f.ping4(),
    action: { src: C.v4, dst: D.v4 },
    to: f.ping4({ v4: { src: C.v4, dst: D.v4 } }),
  },
  {
    name: "addresses and ports of UDP without a checksum, which stays absent (RFC 768)",
    from: f.udp4NoChecksum(),
    action: { src: C.v4, ports: PORTS },
    to: f.udp4NoChecksum({ v4: { src: C.v4 }, ports: PORTS }),
  },
  {
    name: "both addresses of SCTP, whose checksum does not cover them",
    from: f.raw4(132, { payload: SCTP }),
    action: { src: C.v4, dst: D.v4 },
    to: f.raw4(132, { payload: SCTP, v4: { src: C.v4, dst: D.v4 } }),
  },
  {
    name: "addresses and ports behind options",
    from: f.tcp4({ v4: { options: V4_OPTIONS } }),
    action: { dst: D.v4, ports: PORTS, decrementTtl: 1 },
    to: f.tcp4({ v4: { options: V4_OPTIONS, dst: D.v4, ttl: 63 }, ports: PORTS }),
  },
  { name: "ports of UDP", from: f.udp4(), action: { ports: PORTS }, to: f.udp4({ ports: PORTS }) },
  { name: "ports of TCP", from: f.tcp4(), action: { ports: PORTS }, to: f.tcp4({ ports: PORTS }) },
  {
    name: "identifier of an echo request",
    from: f.ping4(),
    action: { ports: { src: 0x0800, dst: 0xbeef } },
    to: f.ping4({}, 0xbeef),
  },
  {
    name: "ports of SCTP are refused: its checksum is another",
    from: f.raw4(132, { payload: SCTP }),
    action: { ports: PORTS },
    to: undefined,
  },
  {
    name: "ports of an ICMP error are refused: it has none",
    from: f.raw4(1, { payload: ICMP_ERROR }),
    action: { ports: PORTS },
    to: undefined,
  },
  {
    name: "ports of a protocol without ports are refused",
    from: f.raw4(47),
    action: { ports: PORTS },
    to: undefined,
  },
  {
    name: "ICMPv6 in IPv4 is no ICMP",
    from: f.raw4(58),
    action: { ports: PORTS },
    to: undefined,
  },
  ...[0, 1, 2, 3].map((ecn) => ({
    name: `DSCP with ECN ${ecn} kept (RFC 3168)`,
    from: f.udp4({ v4: { dscp: 10, ecn } }),
    action: { dscp: 46 },
    to: f.udp4({ v4: { dscp: 46, ecn } }),
  })),
  { name: "DSCP to zero", from: f.udp4({ v4: { dscp: 63 } }), action: { dscp: 0 }, to: f.udp4() },
  { name: "TTL less one", from: f.udp4(), action: { decrementTtl: 1 }, to: f.udp4({ v4: { ttl: 63 } }) },
  {
    name: "TTL less three of 255",
    from: f.udp4({ v4: { ttl: 255 } }),
    action: { decrementTtl: 3 },
    to: f.udp4({ v4: { ttl: 252 } }),
  },
  {
    name: "everything at once",
    from: f.tcp4({ v4: { dscp: 1, ecn: 2 } }),
    action: { macs: MACS, src: C.v4, dst: D.v4, ports: PORTS, decrementTtl: 2, dscp: 63, maxLength: 1500 },
    to: f.tcp4({ macs: MACS, v4: { src: C.v4, dst: D.v4, ttl: 62, dscp: 63, ecn: 2 }, ports: PORTS }),
  },
];

const V6_REWRITES: readonly Rewrite[] = [
  { name: "source of UDP over IPv6", from: f.udp6(), action: { src: C.v6 }, to: f.udp6({ v6: { src: C.v6 } }) },
  {
    name: "both addresses of TCP over IPv6",
    from: f.tcp6(),
    action: { src: C.v6, dst: D.v6 },
    to: f.tcp6({ v6: { src: C.v6, dst: D.v6 } }),
  },
  {
    name: "both addresses of an ICMPv6 echo request, whose checksum covers them (RFC 4443 2.3)",
    from: f.ping6(),
    action: { src: C.v6, dst: D.v6 },
    to: f.ping6({ v6: { src: C.v6, dst: D.v6 } }),
  },
  {
    name: "addresses and ports behind extension headers",
    from: f.udp6({ v6: { extensions: [HOP_BY_HOP, AUTHENTICATION] } }),
    action: { dst: D.v6, ports: PORTS },
    to: f.udp6({ v6: { extensions: [HOP_BY_HOP, AUTHENTICATION], dst: D.v6 }, ports: PORTS }),
  },
  { name: "ports of TCP over IPv6", from: f.tcp6(), action: { ports: PORTS }, to: f.tcp6({ ports: PORTS }) },
  {
    name: "identifier of an ICMPv6 echo request",
    from: f.ping6(),
    action: { ports: { src: 0x8000, dst: 0xbeef } },
    to: f.ping6({}, 0xbeef),
  },
  ...[0, 1, 2, 3].map((ecn) => ({
    name: `DSCP of IPv6 with ECN ${ecn} and the flow label kept`,
    from: f.udp6({ v6: { dscp: 10, ecn } }),
    action: { dscp: 46 },
    to: f.udp6({ v6: { dscp: 46, ecn } }),
  })),
  { name: "hop limit less one", from: f.udp6(), action: { decrementTtl: 1 }, to: f.udp6({ v6: { hopLimit: 63 } }) },
  {
    name: "everything at once over IPv6",
    from: f.tcp6({ v6: { dscp: 1, ecn: 2 } }),
    action: { macs: MACS, src: C.v6, dst: D.v6, ports: PORTS, decrementTtl: 2, dscp: 63, maxLength: 1500 },
    to: f.tcp6({ macs: MACS, v6: { src: C.v6, dst: D.v6, hopLimit: 62, dscp: 63, ecn: 2 }, ports: PORTS }),
  },
];

const FRAGMENT_REWRITES: readonly Rewrite[] = [
  {
    name: "addresses and ports of a first fragment, with the datagram's checksum",
    from: fragment4({}, "first"),
    action: { src: C.v4, ports: PORTS },
    to: fragment4({ v4: { src: C.v4 }, ports: PORTS }, "first"),
  },
  {
    name: "addresses, but no ports, of a later fragment",
    from: fragment4({}, "later"),
    action: { src: C.v4, ports: PORTS },
    to: fragment4({ v4: { src: C.v4 } }, "later"),
  },
  {
    name: "addresses and ports of a first fragment of IPv6",
    from: fragment6({}, "first"),
    action: { dst: D.v6, ports: PORTS },
    to: fragment6({ v6: { dst: D.v6 }, ports: PORTS }, "first"),
  },
  {
    name: "addresses, but no ports, of a later fragment of IPv6",
    from: fragment6({}, "later"),
    action: { dst: D.v6, ports: PORTS, decrementTtl: 1 },
    to: fragment6({ v6: { dst: D.v6, hopLimit: 63 } }, "later"),
  },
];

/** A fragment of the datagram that `udp4` would build. */
function fragment4(change: f.FrameChange, which: "first" | "later"): Uint8Array {
  const datagram = f.transportOf(f.udp4(change), 4);
  const isFirst = which === "first";
  const v4 = { ...change.v4, moreFragments: isFirst, fragmentOffset: isFirst ? 0 : 16 };
  return f.raw4(17, { ...change, v4, payload: isFirst ? datagram.slice(0, 16) : datagram.slice(16) });
}

function fragment6(change: f.FrameChange, which: "first" | "later"): Uint8Array {
  const datagram = f.transportOf(f.udp6(change), 6);
  const isFirst = which === "first";
  const header = { moreFragments: isFirst, fragmentOffset: isFirst ? 0 : 16, identification: 0xabcd_ef01 };
  const extensions = [{ kind: "fragment", nextHeader: 0, ...header } as const];
  return f.raw6(17, {
    ...change,
    v6: { ...change.v6, extensions },
    payload: isFirst ? datagram.slice(0, 16) : datagram.slice(16),
  });
}

/** A datagram whose checksum becomes zero by the new port, which is sent as 0xffff (RFC 768). */
function zeroSum(build: (change: f.FrameChange) => Uint8Array, checksumAt: number): Rewrite {
  for (let dst = 1; dst < 0x1_0000; dst++) {
    const to = build({ ports: { src: PORTS.src, dst } });
    if (to[checksumAt] !== 0xff || to[checksumAt + 1] !== 0xff) continue;
    return {
      name: "a checksum that becomes zero is sent as 0xffff",
      from: build({}),
      action: { ports: { src: PORTS.src, dst } },
      to,
    };
  }
  throw new Error("no port makes the sum zero");
}

const REWRITES: readonly Rewrite[] = [
  ...MAC_REWRITES,
  ...V4_REWRITES,
  ...V6_REWRITES,
  ...FRAGMENT_REWRITES,
  zeroSum(f.udp4, 40),
  { ...zeroSum(f.udp6, 60), name: "a checksum over IPv6 that becomes zero is sent as 0xffff" },
];

/** Comes in by vport 1 and leaves by vport 2 through a flow; then the same frame and action by the agent. */
async function bothWays(scene: Scene, { from, action, to }: Rewrite): Promise<void> {
  const spec = { ...action, to: { vport: 2 } };
  const out = to === undefined ? [] : [{ kind: "vport", vport: 2, frame: to } as const];
  const drops = to === undefined ? [{ vport: 1, reason: "rewrite-failed" } as const] : [];
  scene.install(1, from, { action: spec });
  await scene.expect({ out, drops }, () => scene.rig.send(1, from));
  await scene.expect({ out, drops }, () => scene.execute(from, spec, { ingressVport: 1 }));
}

/** A packet whose TCP or UDP checksum is left to the device keeps one that can be completed. */
const PARTIAL_CASES: readonly Case[] = [
  ...[f.udp4, f.tcp4, f.udp6, f.tcp6].map((build) => ({
    name: `a checksum left to the device is right after a rewrite of everything: ${build.name}`,
    needs: ["partial-checksums"] as const,
    run: async (scene: Scene): Promise<void> => {
      const is4 = build === f.udp4 || build === f.tcp4;
      const [src, dst] = is4 ? [C.v4, D.v4] : [C.v6, D.v6];
      const action = { to: { vport: 2 }, macs: MACS, src, dst, ports: PORTS, decrementTtl: 1, dscp: 46 };
      const after = build({
        macs: MACS,
        v4: { src: C.v4, dst: D.v4, ttl: 63, dscp: 46 },
        v6: { src: C.v6, dst: D.v6, hopLimit: 63, dscp: 46 },
        ports: PORTS,
      });
      const before = build({});
      scene.install(1, before, { action });
      const out = [{ kind: "vport", vport: 2, frame: after } as const];
      await scene.expect({ out }, () => scene.rig.send(1, before, { isChecksumPartial: true }));
    },
  })),
  {
    name: "the agent's frame whose checksum is partial leaves with a whole one",
    run: async (scene) => {
      for (const frame of [f.udp4(), f.tcp4(), f.udp6(), f.tcp6({ vlans: [{ vid: 5 }] })]) {
        const partial = f.withPseudoSum(frame);
        const out = [{ kind: "vport", vport: 2, frame } as const];
        await scene.expect({ out }, () => scene.execute(partial, { to: { vport: 2 } }, { isChecksumPartial: true }));
      }
    },
  },
];

/** Every rewrite, by a flow and by the agent's own frame. */
export const REWRITE_CASES: readonly Case[] = [
  ...REWRITES.map((rewrite) => ({
    name: `rewrites ${rewrite.name}`,
    run: (scene: Scene) => bothWays(scene, rewrite),
  })),
  ...PARTIAL_CASES,
];
