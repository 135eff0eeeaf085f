import type { Duration } from "../../src/base/clock.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { SimCloud } from "../../src/weftsim/cloud.ts";
import type { SimEnsemble } from "../../src/weftsim/ensemble.ts";
import type { SimHost } from "../../src/weftsim/host.ts";
import { SESSION_TIMEOUT_MS } from "../../src/weftsim/limits.ts";
import { CALM } from "../../src/weftsim/underlay.ts";
import type { ServicePrograms } from "./coordination.ts";
import type { FaultName, FaultWeights } from "./scenarios/scenario-spec.ts";

/** What faults strike. */
export interface FaultTargets {
  readonly cloud: SimCloud;
  ensemble(): SimEnsemble | undefined;
  /** Crashes and restarts the store's only server, where it can. */
  restartStore(): void;
  services(): ServicePrograms | undefined;
}

/** Time between two starts of an agent that cannot join, as a service supervisor does it. */
const RESPAWN_MS: Duration = 1_000;

/** Longest time after the beginning of its turn at which a fault strikes. */
const STRIKE_MS: Duration = 60;

/** Brings faults over a cloud. Each ends by itself after a time that it draws, or when all are healed. */
export class Faults {
  readonly #targets: FaultTargets;
  /** Ends of what is still going on. */
  readonly #ends = new Set<() => void>();

  constructor(targets: FaultTargets) {
    this.#targets = targets;
  }

  /** Draws a fault by weight. */
  static draw(weights: FaultWeights, prng: Prng): FaultName | undefined {
    const names = Object.keys(weights) as FaultName[];
    const sum = names.reduce((total, name) => total + (weights[name] ?? 0), 0);
    let left = sum * prng.float();
    for (const name of names) {
      left -= weights[name] ?? 0;
      if (left < 0) return name;
    }
    return undefined;
  }

  /** Lets a fault strike whom the generator says. */
  strike(name: FaultName, prng: Prng): void {
    // Mostly in the middle of something: an edit that is on its way to every host.
    this.#after(prng.below(3) === 0 ? 0 : STRIKE_MS * prng.float(), () => this.#strike(name, prng));
  }

  #strike(name: FaultName, prng: Prng): void {
    const { cloud } = this.#targets;
    const hosts = [...cloud.hosts.values()].filter(({ isDead }) => !isDead);
    const [host, other] = [prng.pick(hosts), prng.pick(hosts)];
    const span = prng.below(2) === 0 ? prng.below(500) : prng.below(3 * SESSION_TIMEOUT_MS);
    cloud.events.add({ at: host.spec.name, event: "fault", detail: `${name} ${span} ms` });
    if (name === "weather") return this.#weather(prng);
    if (name === "partition") return this.#partition(host, other, span);
    if (name.startsWith("member-") || name === "leader-lost" || name === "quorum-lost")
      return this.#member(name, prng, span);
    this.#host(name, host, { prng, span });
  }

  /** Ends everything that still goes on. Agents that do not run are started; whoever is dead stays dead. */
  heal(): void {
    const { cloud } = this.#targets;
    const ensemble = this.#targets.ensemble();
    // An end may begin something that has an end.
    while (this.#ends.size > 0) for (const end of [...this.#ends]) end();
    cloud.underlay.heal();
    cloud.underlay.settings = CALM;
    for (const { number } of ensemble?.members ?? []) ensemble?.healMember(number);
  }

  #host(name: FaultName, host: SimHost, { prng, span }: { readonly prng: Prng; readonly span: Duration }): void {
    const services = this.#targets.services();
    const place = host.spec.name;
    switch (name) {
      case "store-cut":
        return host.disconnectStore();
      case "store-applied":
      case "store-lost":
        return host.disconnectStore(name === "store-applied" ? "applied" : "lost");
      case "store-isolate":
        host.isolateStore();
        return this.#after(span, () => host.rejoinStore());
      case "session-expire":
        return host.expireSession();
      case "agent-kill":
        host.kill();
        return this.#after(span, () => this.#run(host));
      case "flows-lost":
        host.unload();
        return this.#after(span, () => this.#run(host));
      case "host-crash":
        host.crash();
        services?.kill(place);
        return this.#after(span, () => {
          this.#run(host);
          services?.start(place);
        });
      case "host-death":
        return this.#die(host);
      case "agent-stop":
        return this.#stop(host, span, () => host.stop());
      case "agent-upgrade":
        return this.#stop(host, prng.below(200), () => host.handOver());
      case "agent-pause":
        host.pause();
        services?.pause(place);
        return this.#after(span, () => {
          host.wake();
          services?.wake(place);
        });
      case "agent-slow":
        host.slowness = 1 + 1_000 * prng.float();
        return this.#after(span, () => {
          host.slowness = 1;
        });
      case "clock-step":
        return host.clock.setWallError(prng.below(4) === 0 ? 0 : (prng.float() - 0.5) * 20 * 60_000);
      case "clock-drift":
        return host.clock.setDrift((prng.float() - 0.5) * 2e-3);
      default:
        throw new Error(`${name} does not strike a host`);
    }
  }

  /** At least two hosts stay. */
  #die(host: SimHost): void {
    const { cloud } = this.#targets;
    const living = [...cloud.hosts.values()].filter(({ isDead }) => !isDead);
    if (living.length <= 2) return;
    host.die();
    this.#targets.services()?.kill(host.spec.name);
  }

  #stop(host: SimHost, span: Duration, stop: () => Promise<void>): void {
    const { agent } = host;
    if (agent === undefined || agent.isPaused) return;
    void stop();
    this.#after(span, () => {
      // What has not ended in order by now is killed, as a supervisor does it.
      if (host.agent === agent) host.kill();
      this.#run(host);
    });
  }

  /** Starts an agent, again and again until it has joined. */
  #run(host: SimHost): void {
    if (host.isDead || (host.agent !== undefined && host.agent.failure === undefined)) return;
    void host.start().then(() => {
      if (host.agent?.failure !== undefined) this.#after(RESPAWN_MS, () => this.#run(host));
    });
  }

  #weather(prng: Prng): void {
    this.#targets.cloud.underlay.settings = {
      delayMs: 0.2 + prng.float(),
      jitterMs: 5 * prng.float(),
      loss: 0.2 * prng.float(),
      duplication: 0.2 * prng.float(),
      reordering: 0.3 * prng.float(),
    };
  }

  #partition(host: SimHost, other: SimHost, span: Duration): void {
    const { underlay } = this.#targets.cloud;
    if (host !== other) underlay.block(host.spec.address, other.spec.address);
    this.#after(span, () => underlay.heal());
  }

  #member(name: FaultName, prng: Prng, span: Duration): void {
    const ensemble = this.#targets.ensemble();
    if (ensemble === undefined) return this.#targets.restartStore();
    const { members } = ensemble;
    const first = name === "leader-lost" ? (ensemble.leader ?? 0) : prng.below(members.length);
    const count = name === "quorum-lost" ? Math.ceil(members.length / 2) : 1;
    for (let i = 0; i < count; i++) {
      const number = (first + i) % members.length;
      if (name === "member-slow") ensemble.slowMember(number, 1 + 40 * prng.float());
      else if (name === "member-hang") ensemble.hangMember(number);
      else if (name === "member-cut-off" || prng.below(2) === 0) ensemble.cutOffMember(number);
      else ensemble.crashMember(number);
      this.#after(span, () => ensemble.healMember(number));
    }
  }

  /** `end` comes after a while, or when everything is healed, but once. */
  #after(span: Duration, end: () => void): void {
    const once = (): void => {
      if (!this.#ends.delete(once)) return;
      timer.cancel();
      end();
    };
    this.#ends.add(once);
    const timer = this.#targets.cloud.scheduler.after(span, once);
  }
}
