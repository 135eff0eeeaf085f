import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Ip, ipFromV4, ipFromWords } from "../addr/ip.ts";
import { type Result, unwrap } from "../base/result.ts";
import { type DropReason, dropCode } from "../flow/drop-reason.ts";
import { ACTION_TUNNEL, TUNNEL_KIND_SHIFT, TUNNEL_TRACE, TUNNEL_UDP_PORT, UPCALL_TRACE } from "../flow/layout.ts";
import type { LinuxError } from "../linux/errno.ts";
import { changeLink } from "../linux/netlink/route/link.ts";
import { hasGro, setGro } from "../linux/offloads.ts";
import { PacketReceiver, type ReceivedFrame } from "../linux/packet-receiver.ts";
import { PacketSender } from "../linux/packet-sender.ts";
import { Tap } from "../linux/tap.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { TUNNEL_DEVICE } from "./devices.ts";
import { actionOf } from "./fixture/switch-agent.ts";
import { compileDatapath, type TestVm, v4 } from "./fixture/test-host.ts";
import { closeTwoHosts, openTwoHosts, type Side, UNDERLAY_DEVICE, vportKey } from "./fixture/two-hosts.ts";

/** An interface of the underlay that is a card of its own, not the end of a veth. */
const CARD = {
  4: { address: ipFromV4(0xc000_0209), bytes: v4(192, 0, 2, 9), prefixLength: 24 },
  6: {
    address: ipFromWords(0x2001_0db8, 0, [0, 9]),
    bytes: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, ...new Array<number>(11).fill(0), 9),
    prefixLength: 64,
  },
} as const;

let sides: readonly Side[] = [];
const side = (n: number): Side => sides[n - 1] as Side;
const vm = (n: number): TestVm => side(n < 3 ? 1 : 2).vms[(n - 1) % 2] as TestVm;

function pinging(
  from: number,
  to: number,
  options: readonly string[] = [],
): Promise<{ readonly code: number; readonly output: string }> {
  return vm(from).space.exec(["ping", "-c", "3", "-i", "0.02", "-W", "1", ...options, `10.0.0.${to}`]);
}

/** Pings until the second host counts a drop of this reason: a slow machine may need more than one attempt. */
async function pingUntilDropped(plan: {
  readonly from: number;
  readonly to: number;
  readonly reason: DropReason;
}): Promise<void> {
  const code = dropCode(plan.reason);
  for (let attempt = 0; attempt < 20; attempt++) {
    await pinging(plan.from, plan.to, ["-c", "1", "-W", "0.2"]);
    if (
      side(2)
        .host.datapath.drops()
        .some((drop) => drop.reason === code)
    )
      return;
  }
  assert.fail(`${plan.reason} was not counted`);
}

/** Frames that left the first host by the underlay while `body` ran. */
async function captured(body: () => Promise<unknown>): Promise<readonly ReceivedFrame[]> {
  const { space } = side(1).host;
  const receiver = unwrap(space.netns.runResult(() => PacketReceiver.open(space.ifindex(UNDERLAY_DEVICE))));
  await body();
  const frames = receiver.receiveAll().filter((frame) => frame.isOutgoing);
  receiver.close();
  return frames;
}

for (const family of [4, 6] as const) {
  const tunnelMtu = family === 4 ? 1450 : 1430;
  describe(`two hosts over IPv${family}`, () => {
    before(async () => {
      assert.ok(compileDatapath());
      sides = await openTwoHosts({ family, tunnelMtu });
    });

    after(() => closeTwoHosts(sides));

    test("VMs ping each other through the tunnel; the request for the MAC address is flooded", async () => {
      const { code, output } = await pinging(1, 3);
      assert.equal(code, 0, output);
      assert.match(output, /3 received/);
      assert.ok((side(1).host.datapath.memory.peerSeen[1] as number) > 0);
      const own = new Set(
        side(2)
          .host.datapath.drops()
          .map((drop) => drop.reason),
      );
      own.delete(dropCode("upcall-budget"));
      assert.deepEqual([...own], []);
    });

    test("what was joined where it arrived is not joined again behind the tunnel", async () => {
      const { space, datapath } = side(1).host;
      const place = { name: TUNNEL_DEVICE, netns: space.netns };
      assert.equal(unwrap(hasGro(place)), false);
      // As an agent finds the device of one before it, or when somebody has moved the underlay.
      const again = (address: Ip) => datapath.setUnderlay({ address, udpPort: TUNNEL_UDP_PORT, mtu: 1500 });
      unwrap(setGro(place, true));
      unwrap(await again(side(1).address));
      assert.equal(unwrap(hasGro(place)), false);
      const card = unwrap(space.netns.runResult(() => Tap.open({ name: "card" })));
      unwrap(space.connection.run(changeLink({ name: "card" }, { isUp: true })));
      space.address("card", CARD[family].bytes, CARD[family].prefixLength);
      unwrap(setGro({ name: "card", netns: space.netns }, false));
      unwrap(await again(CARD[family].address));
      assert.equal(unwrap(hasGro(place)), true, "an underlay that joins nothing");
      unwrap(await again(side(1).address));
      assert.equal(unwrap(hasGro(place)), false);
      card.close();
    });

    test("TCP crosses the tunnel", async () => {
      const server = vm(4).space.exec(["timeout", "60", "iperf3", "-s", "-1"]);
      const attempt = "iperf3 -M 1380 -c 10.0.0.4 -n 20M && exit 0; sleep 0.1";
      const { code, output } = await vm(1).space.exec([
        "sh",
        "-c",
        `for i in 1 2 3 4 5 6 7 8; do ${attempt}; done; exit 1`,
      ]);
      assert.equal(code, 0, output);
      assert.equal((await server).code, 0);
    });

    test("the outer packet has our address, our port, the key, and may not be fragmented", async () => {
      const frames = await captured(() => pinging(1, 3));
      const udp = family === 4 ? 34 : 54;
      const ours = frames.filter(
        ({ bytes }) => bytes.length > udp && new DataView(bytes.buffer).getUint16(udp + 2) === TUNNEL_UDP_PORT,
      );
      assert.ok(ours.length >= 3, `${ours.length}`);
      const keyAt = udp + 12;
      const packets = ours.map(({ bytes }) => new DataView(bytes.buffer));
      const first = packets.find((packet) => packet.getUint32(keyAt) >>> 8 === vportKey(3));
      assert.ok(first);
      if (family === 4) {
        assert.equal(first.getUint16(20) & 0x4000, 0x4000, "don't fragment");
        assert.equal(first.getUint32(26), side(1).address.w3);
      } else assert.equal(first.getUint32(34), side(1).address.w3);
      assert.ok(first.getUint16(udp) >= 49_152);
    });

    test("a packet that is too long for the tunnel goes up and is not sent", async () => {
      const before = side(1).agent.upcalls[2] as number;
      const { code } = await pinging(1, 3, ["-M", "do", "-s", `${tunnelMtu - 27}`]);
      assert.equal(code, 1);
      // Flows are found by shard, and each ping has an identifier of its own: the first may be a miss.
      const tooLong = (side(1).agent.upcalls[2] as number) - before;
      assert.ok(tooLong === 2 || tooLong === 3, `${tooLong}`);
      assert.equal((await pinging(1, 3, ["-M", "do", "-s", `${tunnelMtu - 28}`])).code, 0);
    });

    test("a VLAN tag crosses the tunnel", async () => {
      const inside = <T>(n: number, body: (ifindex: number) => Result<T, LinuxError>): T =>
        unwrap(vm(n).space.netns.runResult(() => body(vm(n).space.ifindex("eth0"))));
      const receiver = inside(3, (ifindex) => PacketReceiver.open(ifindex));
      const sender = inside(1, (ifindex) => PacketSender.open({ ifindex, slots: 1 }));
      const eth = { src: 0x0200_0000_0001, dst: 0x0200_0000_0003 };
      const frame = buildFrame({
        eth,
        vlans: [{ vid: 100, priority: 3 }],
        etherType: 0x1234,
        payload: new Uint8Array(50),
      });
      sender.bytes.set(frame, sender.frameOffset(0));
      for (const attempt of ["first", "second"]) {
        sender.describe(0, frame.length, 0);
        sender.flush(0, 1);
        let found: ReceivedFrame | undefined;
        while (found?.vlan === undefined) {
          found = receiver.receive() ?? found;
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal(found.vlan.tci, 0x6064, attempt);
        assert.equal(found.bytes.length, frame.length - 4, attempt);
      }
      sender.close();
      receiver.close();
    });

    test("a traced frame is delivered, and a copy goes up where it arrives", async () => {
      const before = side(2).agent.upcalls[UPCALL_TRACE] as number;
      side(1).agent.learn(4, actionOf([ACTION_TUNNEL, 1, TUNNEL_TRACE | vportKey(4)]));
      assert.match((await pinging(2, 4)).output, /3 received/);
      assert.ok((side(2).agent.upcalls[UPCALL_TRACE] as number) - before >= 3);
    });

    test("frames to an unknown key, of a reserved kind and from no peer are dropped and counted", async () => {
      side(1).agent.learn(3, actionOf([ACTION_TUNNEL, 1, 0x99999]));
      await pingUntilDropped({ from: 2, to: 3, reason: "unknown-tunnel-key" });
      side(1).agent.learn(4, actionOf([ACTION_TUNNEL, 1, 5 << TUNNEL_KIND_SHIFT]));
      await pingUntilDropped({ from: 1, to: 4, reason: "reserved-tunnel-kind" });
      unwrap(await side(2).host.datapath.setPeers([]));
      await pingUntilDropped({ from: 1, to: 3, reason: "unknown-peer" });
    });
  });
}
