import { PARSE_EXTENSIONS, PARSE_OK, PARSE_OPTIONS, UPCALL_MISS, W0_PARSE_SHIFT } from "../../flow/layout.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import type { Ability } from "./rig.ts";
import { keyOf, type Scene } from "./scene.ts";

/** Offset of the network header. */
const L3 = 14;
const OPTIONS = [{ type: 148, content: new Uint8Array(2) }] as const;
const DESTINATION = {
  kind: "destination-options",
  nextHeader: 0,
  options: [{ type: 0x1e, content: f.TEXT.slice(0, 4) }],
} as const;
const FRAGMENT = { kind: "fragment", nextHeader: 0, identification: 7 } as const;

/** A frame that no parser can read to the end. */
interface Malformed {
  readonly what: string;
  readonly frame: Uint8Array;
  readonly needs?: readonly Ability[];
}

/** Frames that are dropped before any flow is looked for. */
const MALFORMED: readonly Malformed[] = [
  { what: "an IPv4 header that is cut off", frame: f.udp4().slice(0, L3 + 19), needs: ["short-frames"] },
  { what: "IPv4 options that are cut off", frame: f.udp4({ v4: { options: OPTIONS } }).slice(0, L3 + 22) },
  { what: "an IP version that is not 4", frame: f.patched(f.udp4(), L3, [0x55]) },
  { what: "an IPv4 header length below 5", frame: f.patched(f.udp4(), L3, [0x44]) },
  { what: "an IPv4 total length beyond the frame", frame: f.patched(f.udp4(), L3 + 2, [0, 255]) },
  { what: "an IPv4 total length below the header's", frame: f.patched(f.udp4(), L3 + 2, [0, 19]) },
  { what: "UDP ports that the packet cuts off", frame: f.raw4(17, { payload: new Uint8Array(3) }) },
  { what: "an ICMP header that the packet cuts off", frame: f.raw4(1, { payload: new Uint8Array(7) }) },
  { what: "TCP ports that lie in the frame's padding", frame: f.patched(f.tcp4(), L3 + 2, [0, 22]) },
  { what: "an IPv6 header that is cut off", frame: f.udp6().slice(0, L3 + 39), needs: ["short-frames"] },
  { what: "an IP version that is not 6", frame: f.patched(f.udp6(), L3, [0x45]) },
  { what: "an IPv6 payload length beyond the frame", frame: f.udp6().slice(0, -1) },
  { what: "an IPv6 extension header that is cut off", frame: f.raw6(60, { payload: new Uint8Array(7) }) },
  {
    what: "an IPv6 extension header longer than the packet",
    frame: f.raw6(60, { payload: Uint8Array.of(17, 9, 0, 0, 0, 0, 0, 0) }),
  },
  { what: "an ICMPv6 header that the packet cuts off", frame: f.raw6(58, { payload: new Uint8Array(7) }) },
  { what: "ARP that is cut off", frame: f.arp().slice(0, L3 + 27) },
  { what: "ARP for another kind of hardware", frame: f.patched(f.arp(), L3, [0, 6]) },
  { what: "ARP for another protocol", frame: f.patched(f.arp(), L3 + 2, [0x86, 0xdd]) },
  { what: "ARP with addresses of other lengths", frame: f.patched(f.arp(), L3 + 4, [6, 16]) },
];

/** Frames that have a key, and the parse state that it tells. */
const PARSED: readonly { readonly what: string; readonly frame: Uint8Array; readonly state: number }[] = [
  { what: "padding behind the packet", frame: padded(f.udp4(), 90), state: PARSE_OK },
  { what: "IPv4 options", frame: f.udp4({ v4: { options: OPTIONS } }), state: PARSE_OPTIONS },
  {
    what: "a wrong IPv4 checksum, which is the receiver's to judge",
    frame: f.patched(f.udp4(), L3 + 10, [1, 2]),
    state: PARSE_OK,
  },
  { what: "a first fragment", frame: f.raw4(17, { v4: { moreFragments: true } }), state: PARSE_OK },
  {
    what: "a later fragment without room for ports",
    frame: f.raw4(17, { v4: { fragmentOffset: 8 }, payload: new Uint8Array(1) }),
    state: PARSE_OK,
  },
  { what: "an unknown protocol without payload", frame: f.raw4(99, { payload: new Uint8Array(0) }), state: PARSE_OK },
  {
    what: "a TCP header that is cut off behind its ports",
    frame: f.raw4(6, { payload: new Uint8Array(4) }),
    state: PARSE_OK,
  },
  {
    what: "eight extension headers",
    frame: f.udp6({ v6: { extensions: new Array(8).fill(DESTINATION) } }),
    state: PARSE_OK,
  },
  {
    what: "nine extension headers",
    frame: f.udp6({ v6: { extensions: new Array(9).fill(DESTINATION) } }),
    state: PARSE_EXTENSIONS,
  },
  { what: "ESP", frame: f.raw6(50), state: PARSE_EXTENSIONS },
  { what: "no next header", frame: f.raw6(59), state: PARSE_EXTENSIONS },
  {
    what: "an atomic fragment (RFC 6946)",
    frame: f.udp6({ v6: { extensions: [{ ...FRAGMENT, fragmentOffset: 0, moreFragments: false }] } }),
    state: PARSE_OK,
  },
  {
    what: "a later fragment of IPv6",
    frame: f.raw6(17, { v6: { extensions: [{ ...FRAGMENT, fragmentOffset: 16, moreFragments: true }] } }),
    state: PARSE_OK,
  },
  { what: "ARP with padding", frame: padded(f.arp(), 60), state: PARSE_OK },
  { what: "an LLC frame", frame: f.patched(f.strange(), 12, [0, 19]), state: PARSE_OK },
  { what: "an ethertype that is just none", frame: f.patched(f.strange(), 12, [5, 0xff]), state: PARSE_OK },
  { what: "an ethertype that is just one", frame: f.patched(f.strange(), 12, [6, 0]), state: PARSE_OK },
  { what: "three tags", frame: f.udp4({ vlans: [{ vid: 1 }, { vid: 2 }, { vid: 3 }] }), state: PARSE_OK },
  { what: "a priority tag", frame: f.udp4({ vlans: [{ vid: 0, priority: 7 }] }), state: PARSE_OK },
  { what: "a bare Ethernet header", frame: f.strange().slice(0, L3), state: PARSE_OK },
  {
    what: "a TCP header under two tags",
    frame: f.tcp6({ vlans: [{ vid: 1, tpid: 0x88a8 }, { vid: 2 }] }),
    state: PARSE_OK,
  },
];

function padded(frame: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(frame);
  return longer;
}

/** Malformed frames are dropped, with and without a tag; everything else goes up with its key, and forwards by a flow of that key. */
export const PARSE_CASES: readonly Case[] = [
  ...MALFORMED.map(({ what, frame, needs = [] }) => ({
    name: `drops ${what}, whatever the flows say`,
    needs,
    run: async (scene: Scene): Promise<void> => {
      scene.install(1, frame, { action: { to: { vport: 2 } } });
      const drops = [{ vport: 1, reason: "malformed", bytes: frame.length } as const];
      await scene.expect({ drops }, () => scene.rig.send(1, frame));
    },
  })),
  ...PARSED.map(({ what, frame, state }) => ({
    name: `reads ${what}`,
    run: async (scene: Scene): Promise<void> => {
      const found = ((keyOf(1, frame)[0] as number) >>> W0_PARSE_SHIFT) & 7;
      if (found !== state) throw new Error(`the case says parse state ${state}, the key ${found}`);
      await scene.expect({ up: [{ kind: UPCALL_MISS, vport: 1, frame }] }, () => scene.rig.send(1, frame));
      scene.install(1, frame, { action: { to: { vport: 2 } } });
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => scene.rig.send(1, frame));
    },
  })),
];
