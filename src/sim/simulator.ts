import type { Ip } from "../addr/ip.ts";
import { isV4 } from "../addr/ip.ts";
import type { Instant } from "../base/clock.ts";
import { extractKey } from "../flow/key.ts";
import { KEY_WORDS, PARSE_BAD, PARSE_EXTENSIONS, PARSE_SHORT } from "../flow/layout.ts";
import { fitOf } from "./fit.ts";
import type { SimResult } from "./result.ts";
import { Results } from "./results.ts";
import { arpRequest } from "./router-arp.ts";
import { neighborSolicitation } from "./router-nd.ts";
import type { SimInput } from "./sim-input.ts";
import { addressFor } from "./sim-port.ts";
import { STEP, type Step } from "./step.ts";
import { answerTooBig } from "./too-big.ts";
import type { TraceSink } from "./trace.ts";
import { egressOwn, ingress } from "./vport.ts";
import { Walk } from "./walk.ts";
import type { World } from "./world.ts";

/**
 * Walks packets through a world. Confined to one thread; all methods are synchronous and reuse one result, which holds until
 * the next call. `now` is monotonic; the neighbor resolver knows how to make wall-clock time of it.
 */
export class Simulator {
  readonly world: World;
  readonly #walk: Walk;
  readonly #results: Results;
  readonly #emitKey = new Uint32Array(KEY_WORDS);

  constructor(world: World) {
    this.world = world;
    this.#walk = new Walk(world);
    this.#results = new Results(this.#walk);
  }

  /** The way of a packet. */
  simulate(input: SimInput, now: Instant): SimResult {
    const walk = this.#walk;
    walk.begin(input, now);
    const step = this.#enter(input);
    return this.#results.of(step, step === STEP.forward ? fitOf(walk) : "fits");
  }

  /**
   * A frame that is longer than its flow allows: `limit` is the largest L3 packet of the flow, tunnel path included (word
   * 11 of the upcall). An ICMP error from the router where it did not fit, or fragments (IPv4 without DF). Never a flow.
   */
  tooBig(input: SimInput, limit: number, now: Instant): SimResult {
    const walk = this.#walk;
    walk.begin(input, now);
    const step = this.#enter(input);
    walk.isTransient = true;
    if (step !== STEP.forward) return this.#results.of(step, "fits");
    // A walk whose frame ends on the way is quiet from there on.
    walk.isLive = input.mode === "live";
    const answer = answerTooBig(walk, limit);
    return typeof answer === "number" ? this.#results.of(answer, "fits") : this.#results.ofFragments(answer);
  }

  /**
   * A frame whose TTL or hop limit is used up on the way: `ttl` is what it came with. Time exceeded from the router where
   * it ended. Never a flow.
   */
  ttlExpired(input: SimInput, ttl: number, now: Instant): SimResult {
    const walk = this.#walk;
    walk.begin(input, now);
    walk.exactTtl = ttl;
    const step = this.#enter(input);
    walk.isTransient = true;
    return this.#results.of(step, "fits");
  }

  /** A frame that the network itself sends out of vport `port` of a device. Never a flow. */
  emit(port: number, bytes: Uint8Array, now: Instant): SimResult {
    const walk = this.#walk;
    const key = this.#emitKey;
    extractKey(bytes, { vportIndex: 0 }, key);
    const frame = { bytes, offset: 0, length: bytes.length, gsoSize: 0 };
    walk.begin({ mode: "live", key, keyOffset: 0, ingress: port, frame, unresolved: undefined }, now);
    const step = egressOwn(walk, port);
    walk.isTransient = true;
    return this.#results.of(step, step === STEP.forward ? fitOf(walk) : "fits");
  }

  /** The frame for a `request` of the resolver, to be sent by `emit`; undefined when the port cannot ask (any more). */
  neighborRequest(port: number, ip: Ip): Uint8Array | undefined {
    const from = this.world.port(port);
    const own = from === undefined ? undefined : addressFor(from, ip, isV4(ip));
    if (from === undefined || own === undefined) return undefined;
    return isV4(ip) ? arpRequest(from, own.ip, ip) : neighborSolicitation(from, own.ip, ip);
  }

  /** Records the following walks as text; undefined ends it. Costs one comparison a step while undefined. */
  trace(sink: TraceSink | undefined): void {
    this.#walk.sink = sink;
  }

  #enter(input: SimInput): Step {
    const walk = this.#walk;
    const { parseState } = walk.packet;
    if (parseState === PARSE_SHORT || parseState === PARSE_BAD) return walk.drop("malformed");
    // What stands behind headers that cannot be walked is not in the key.
    if (parseState === PARSE_EXTENSIONS) walk.isTransient = true;
    const port = input.ingress === 0 ? this.world.portOfVport(walk.packet.vport) : input.ingress;
    if (port === 0) return walk.dropOnce("topology-missing", `no port is vport ${walk.packet.vport}`);
    walk.firstPort = this.world.port(port);
    return ingress(walk, port);
  }
}
