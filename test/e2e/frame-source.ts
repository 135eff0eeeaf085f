import type { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { VM_INTERFACE } from "../../src/lab/plan.ts";
import { getLink } from "../../src/linux/netlink/route/link.ts";
import { PacketSender } from "../../src/linux/packet-sender.ts";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { FrameMutator } from "../fixtures/mutate-frame.ts";
import type { Cloud } from "./cloud.ts";

const SLOTS = 64;
/** The lab gives the router's ports no MAC address of their own choosing: frames go to the one that the VM has learned. */
const GATEWAY = "10.1.1.1";

function open(cloud: Cloud, vm: string): PacketSender {
  const { netns, netlink } = cloud.spaces.of(vm);
  const link = unwrap(netlink.run(getLink({ name: VM_INTERFACE })));
  return unwrap(unwrap(netns.run(() => PacketSender.open({ ifindex: link?.ifindex ?? 0, slots: SLOTS }))));
}

/** Sends what `fill` writes: as many as the kernel takes; a frame that it refuses is left out. */
function sendBatch(sender: PacketSender, fill: (at: number) => Uint8Array): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    const bytes = fill(slot);
    sender.bytes.set(bytes, sender.frameOffset(slot));
    sender.describe(slot, bytes.length, 0);
  }
  for (let from = 0; from < SLOTS; ) {
    const sent = sender.flush(from, SLOTS - from);
    from += Math.max(1, sent);
  }
  return SLOTS;
}

/** Mutated frames out of a VM's interface. */
export class FuzzSender {
  readonly #sender: PacketSender;
  readonly #mutator: FrameMutator;

  private constructor(sender: PacketSender, prng: Prng) {
    this.#sender = sender;
    this.#mutator = new FrameMutator(prng);
  }

  static open(cloud: Cloud, vm: string, prng: Prng): FuzzSender {
    return new FuzzSender(open(cloud, vm), prng);
  }

  /** Sends a batch; the number of its frames. */
  batch(): number {
    return sendBatch(this.#sender, () => this.#mutator.next().bytes.subarray(0, this.#sender.frameBytesMax));
  }

  close(): void {
    this.#sender.close();
  }
}

/** UDP packets with random 5-tuples through the VM's gateway, as fast as they go. The number sent. */
export async function randomFlows(
  cloud: Cloud,
  vm: string,
  { prng, forMs }: { readonly prng: Prng; readonly forMs: number },
): Promise<number> {
  const sender = open(cloud, vm);
  await cloud.pings(vm, GATEWAY);
  const { output } = await cloud.run(vm, `ip neigh show ${GATEWAY}`);
  const [, mac = ""] = /lladdr (\S+)/.exec(output) ?? [];
  const dst = Number.parseInt(mac.replaceAll(":", ""), 16);
  const src = Number.parseInt(cloud.vm(vm).mac.replaceAll(":", ""), 16);
  const frame = (): Uint8Array =>
    buildFrame({
      eth: { src, dst },
      ipv4: { src: prng.u32(), dst: prng.u32() },
      udp: { srcPort: prng.below(65_536), dstPort: prng.below(65_536) },
    });
  const { clock } = systemScheduler;
  const end = clock.now() + forMs;
  let sent = 0;
  for (; clock.now() < end; sent += sendBatch(sender, frame))
    if (sent % (16 * SLOTS) === 0) await sleep(systemScheduler, 0);
  sender.close();
  return sent;
}
