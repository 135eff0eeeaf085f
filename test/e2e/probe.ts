import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { unwrap } from "../../src/base/result.ts";
import type { Cloud } from "./cloud.ts";

const EVERY_S = 0.01;

/** One flow whose packets are numbered, a hundred a second, until it is stopped: what it lost is known exactly. */
export class Probe {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";
  /** The packet with which the flow was warm: what began it may be overtaken by what it then forwards. */
  #warmAt = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (chunk: Buffer) => (this.#output += `${chunk}`));
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Starts between two VMs, and waits until the first packets have been answered: the flow is warm. */
  static async warm(cloud: Cloud, from: string, to: string): Promise<Probe> {
    const command = ["-n", "-i", String(EVERY_S), "-W", "5", cloud.vm(to).v4];
    const start = (): ChildProcess => spawn("ping", command, { stdio: ["ignore", "pipe", "ignore"] });
    const probe = new Probe(unwrap(cloud.spaces.of(from).netns.run(start)));
    await cloud.eventually(`${from} reaches ${to} with a probe`, () => probe.#answered().length > 20);
    probe.#warmAt = Math.max(...probe.#answered());
    return probe;
  }

  /** Packets that were answered so far. */
  get count(): number {
    return this.#answered().length;
  }

  /** Waits until this many more packets were answered. */
  async goesOn(cloud: Cloud, packets = 50): Promise<void> {
    const enough = this.count + packets;
    await cloud.eventually("the probe goes on", () => this.count >= enough);
  }

  /** Stops, and demands that every packet since the flow was warm was answered, in order. */
  async assertNothingLost(): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#ended;
    const [, sent = "0"] = /(\d+) packets transmitted/.exec(this.#output) ?? [];
    const numbers = this.#answered().filter((number) => number > this.#warmAt);
    // The last one may have been stopped on its way.
    const expected = numbers.map((_, i) => this.#warmAt + 1 + i);
    assert.deepEqual(numbers, expected, "a packet is missing, or came out of order");
    assert.ok((numbers.at(-1) ?? 0) >= Number(sent) - 1, `the last of ${sent} packets were not answered`);
  }

  #answered(): readonly number[] {
    return [...this.#output.matchAll(/icmp_seq=(\d+) ttl/g)].map(([, number]) => Number(number));
  }
}
