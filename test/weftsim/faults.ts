import type { Prng } from "../../src/base/prng.ts";
import type { SimCloud } from "../../src/weftsim/cloud.ts";
import { CALM } from "../../src/weftsim/underlay.ts";

/** Brings one random misfortune over a cloud. */
export async function randomFault(cloud: SimCloud, prng: Prng): Promise<void> {
  const hosts = [...cloud.hosts.values()];
  const host = prng.pick(hosts);
  const other = prng.pick(hosts);
  switch (prng.below(7)) {
    case 0:
      cloud.underlay.settings = {
        delayMs: 0.2 + prng.float(),
        jitterMs: 5 * prng.float(),
        loss: 0.2 * prng.float(),
        duplication: 0.2 * prng.float(),
        reordering: 0.3 * prng.float(),
      };
      return;
    case 1:
      if (host !== other) cloud.underlay.block(host.spec.address, other.spec.address);
      return;
    case 2:
      cloud.underlay.heal();
      return;
    case 3:
      host.disconnectStore();
      return;
    case 4:
      host.expireSession();
      return;
    case 5:
      if (prng.below(3) === 0) host.crash();
      else host.kill();
      await cloud.run(prng.below(500));
      void host.start();
      return;
    default:
      await cloud.until(host.stop());
      void host.start();
      return;
  }
}

/** Ends all misfortune: the network is whole, every host has an agent. Resolves when all of them serve. */
export async function heal(cloud: SimCloud): Promise<void> {
  cloud.underlay.heal();
  cloud.underlay.settings = CALM;
  await cloud.run(20_000);
  for (const host of cloud.hosts.values()) {
    if (host.agent === undefined || host.agent.failure !== undefined) await cloud.until(host.start());
  }
}
