import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Prng } from "../base/prng.ts";
import { extractKey } from "../flow/key.ts";
import { CLASS_WORDS, KEY_WORDS, PARSE_OK, W0_PARSE_SHIFT } from "../flow/layout.ts";
import { FDB_DEFAULTS, FdbLearner } from "../state/fdb.ts";
import { NeighborResolver } from "../state/neighbor-resolver.ts";
import { NEIGHBOR_DEFAULTS } from "../state/neighbor-settings.ts";
import { formatResult } from "./format-result.ts";
import type { SimResult } from "./result.ts";
import type { SimInput } from "./sim-input.ts";
import { Simulator } from "./simulator.ts";
import { frameOf } from "./testing/script-frame.ts";
import { ScriptLine } from "./testing/script-text.ts";
import { ScriptTopology } from "./testing/script-topology.ts";
import { TraceText } from "./trace.ts";
import { World } from "./world.ts";

/** What every topology of these tests starts with; lines that are drawn change and extend it. A counterexample is a script. */
const SKELETON = [
  "chain a",
  "chain b",
  "bridge br1",
  "bridge br2",
  "router r1",
  "router r2",
  "port v1 br1 in=a",
  "port v2 br1 out=b",
  "port v3 br2",
  "port g1 r1 mac=02:a1 ip=10.0.1.1/24,fd01::1/64",
  "port g2 r2 mac=02:a2 ip=10.0.2.1/24,fd02::1/64",
  "port b1 br1 peer=g1",
  "port b2 br2 peer=g2",
  "port l1 r1 mac=02:b1 ip=10.9.0.1/30,fd09::1/64",
  "port l2 r2 mac=02:b2 ip=10.9.0.2/30,fd09::2/64 peer=l1",
  "port u1 r1 mac=02:c1 ip=10.0.3.1/24",
  "route d1 r1 0.0.0.0/0 port=l1 via=10.9.0.2",
  "route d2 r2 0.0.0.0/0 port=l2 via=10.9.0.1",
  "route e1 r1 ::/0 port=l1 via=fd09::2",
  "fdb br1 02:1 v1",
  "fdb br2 02:3 v3",
  "address br1 10.0.1.9 02:1",
  "neighbor r2 10.0.2.9 02:3",
  "neighbor r1 10.0.3.9 02:9",
];

const pick = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const join = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.filter((text) => text !== "").join(" "));

const filters = join(pick("", "", "in=a", "in=b", "in=x"), pick("", "", "out=a", "out=b"));
const ip4 = pick("10.0.1.9", "10.0.1.1", "10.0.2.9", "10.0.2.1", "10.0.3.9", "10.0.1.77", "10.7.7.7", "192.168.0.1");
const ip6 = pick("fd01::9", "fd01::1", "fd02::9", "fd02::1", "fe80::9", "fd77::7");
const mac = pick("02:1", "02:2", "02:3", "02:9", "02:a1", "02:a2", "02:c1", "02:77");
const bridge = pick("br1", "br2");
const router = pick("r1", "r2");
const prefix = pick(
  "10.0.2.0/24",
  "10.0.0.0/8",
  "10.7.7.7/32",
  "10.7.0.0/16",
  "0.0.0.0/0",
  "192.168.0.0/16",
  "8.0.0.0/5",
  "10.0.3.8/29",
);

const fields = fc.oneof(
  pick("frag=later", "frag=whole", "frag=header"),
  pick("type=0x800", "!type=0x806", "smac=02:1", "dmac=02:a1", "vlan=10", "in=v1", "!out=v2"),
  pick("dst=10.0.2.0/24", "!dst=10.0.1.0/24", "dst=fd02::/64"),
  pick("src=10.0.1.8/29", "!src=10.0.1.9/32", "src=fd01::/64"),
  pick("proto=6", "!proto=17", "dscp=46"),
  pick("dport=80", "!dport=80", "sport=1-100", "sport=128 proto=58"),
);
const condition = fc.oneof(
  fields,
  fields,
  join(pick("not"), fields),
  join(pick("proto=6"), pick("dst=10.0.2.0/24", "!dport=80")),
);

/** Lines that declare or change something. */
const change = fc.oneof(
  join(
    pick("rule"),
    pick("k1 a", "k2 a", "k3 b"),
    pick("accept", "drop", "reject", "return", "jump=b", "jump=a"),
    condition,
  ),
  join(pick("bridge"), bridge, pick("", "", "down"), filters),
  join(pick("router"), router, pick("", "", "down"), filters),
  join(
    pick("port v1 br1", "port v2 br1", "port v3 br2"),
    pick("", "vlan=10", "vlan=20"),
    pick("", "", "down"),
    filters,
  ),
  join(pick("port v1 br1", "port v2 br1", "port v3 br2"), pick("inactive", "remote", "unplugged")),
  join(pick("port b1 br1 peer=g1"), pick("", "", "vlan=10", "down"), filters),
  join(pick("port g2 r2 mac=02:a2 ip=10.0.2.1/24,fd02::1/64 peer=b2"), pick("", "down", "mtu=1300"), filters),
  join(pick("port g1 r1 mac=02:a9 ip=10.0.1.1/25 peer=b1"), filters),
  join(pick("placement v1", "placement v2", "placement v3", "placement u1"), pick("active", "inactive", "none")),
  join(
    pick("route n1 r1", "route n2 r1"),
    prefix,
    pick("port=l1 via=10.9.0.2", "port=u1 via=10.0.3.9", "blackhole", "reject"),
    pick("", "weight=5", "from=10.0.1.8/29"),
  ),
  join(pick("route n3 r2"), prefix, pick("port=l2 via=10.9.0.1", "blackhole", "local")),
  join(pick("absent n1", "absent n2", "absent n3", "absent k1", "absent k2", "absent v2", "absent d2")),
  join(pick("fdb"), bridge, mac, pick("v1", "v2", "v3", "b1", "none"), pick("", "", "vlan=10")),
  join(pick("address"), bridge, fc.oneof(ip4, ip6), fc.oneof(mac, pick("none"))),
  join(pick("neighbor"), router, fc.oneof(ip4, ip6), fc.oneof(mac, pick("none"))),
);

const upper = join(
  pick("udp", "tcp"),
  pick("7 > 80", "200 > 80", "7 > 53"),
  pick("", "", "dscp=46"),
  pick("", "", "", "vlan=10", "vlan=0", "frag=first len=8"),
);
const packet = join(
  pick("v1", "v1", "v2", "v3", "u1"),
  fc.oneof(
    join(
      mac,
      pick(">"),
      mac,
      pick("ip"),
      ip4,
      pick(">"),
      ip4,
      fc.oneof(upper, pick("echo", "proto 17 frag=later len=8")),
    ),
    join(mac, pick(">"), mac, pick("ip"), ip6, pick(">"), ip6, fc.oneof(upper, pick("echo", "echo-reply"))),
    join(pick("02:1 >"), pick("02:a1", "02:a2"), pick("ip 10.0.1.9 >"), ip4, upper),
    join(mac, pick("> all arp"), pick("request", "reply"), ip4, pick(">"), ip4),
    join(mac, pick("> nd"), pick("ns"), ip6, pick(">"), ip6),
    join(mac, pick("> 33:33:00:00:00:01 na fd01::9 > ff02::1 target=fd01::9 override")),
    join(mac, pick("> all", "> 01:5"), pick("type 0x9000", "ip 10.0.1.9 > 255.255.255.255 udp 68 > 67")),
  ),
);

/** A world made of script lines, and the means to ask it. */
class Lab {
  readonly neighbors = new NeighborResolver({ ...NEIGHBOR_DEFAULTS, staleJitter: 0 }, new Prng(1));
  readonly fdb = new FdbLearner(FDB_DEFAULTS);
  readonly world = new World({ neighbors: this.neighbors, fdb: this.fdb });
  readonly simulator = new Simulator(this.world);
  readonly #topology = new ScriptTopology();

  constructor(lines: readonly string[]) {
    this.change([...SKELETON, ...lines]);
  }

  /** Runs lines; returns the tags that they invalidate. */
  change(lines: readonly string[]): Set<number> {
    for (const text of lines) {
      const line = new ScriptLine(text);
      this.#topology.run(line.next("command"), line, 0);
      line.end();
    }
    const tags = new Set<number>();
    for (const each of this.#topology.takeChanges()) for (const tag of this.world.apply(each)) tags.add(tag);
    for (const effect of this.neighbors.process(0)) if (effect.kind === "invalidate") tags.add(effect.tag);
    return tags;
  }

  input(text: string): SimInput {
    const line = new ScriptLine(text);
    const ingress = this.world.handleOf(line.next("port"));
    const bytes = frameOf(line);
    const key = new Uint32Array(KEY_WORDS);
    extractKey(bytes, { vportIndex: 3 }, key);
    const frame = { bytes, offset: 0, length: bytes.length, gsoSize: 0 };
    return { mode: "trace", key, keyOffset: 0, ingress, frame, unresolved: undefined };
  }

  simulate(input: SimInput): Answer {
    return answerOf(this.simulator.simulate(input, 0), this.world);
  }

  check(input: SimInput, key: Uint32Array): Answer {
    return this.simulate({ ...input, mode: "check", key, frame: undefined });
  }

  /** Where the packet's source is, as the answer's references say: the world takes it as learned. */
  learn(input: SimInput): void {
    const { tags } = this.simulator.simulate(input, 0).facts;
    for (let i = 0; i < tags.referenceCount; i++) this.fdb.use(tags.references[i] as number, 0);
    for (const { kind, binding } of this.fdb.process(0)) {
      if (kind !== "write") continue;
      const { vlan, mac: address } = binding;
      const ids = { bridgeId: this.world.idOf(binding.bridge), portId: this.world.idOf(binding.port) };
      this.world.apply({ kind: "fdb", vlan, mac: address, ...ids });
    }
  }
}

/** A result copied out of the simulator. */
interface Answer {
  readonly kind: SimResult["kind"];
  readonly level: number;
  readonly isFlow: boolean;
  readonly text: string;
  readonly tags: readonly number[];
}

function answerOf(result: SimResult, world: World): Answer {
  const { level, tags } = result.facts;
  const isFlow = (result.kind === "forward" || result.kind === "drop") && !result.isTransient;
  const lines = formatResult(result, world).map((line) => line.replace(/ but (ttl-expired|too-big)$/, ""));
  return { kind: result.kind, level, isFlow, text: lines.join("\n"), tags: [...tags.tags.slice(0, tags.count)] };
}

function masked(key: Uint32Array, level: number): Uint32Array {
  const copy = key.slice();
  copy.fill(0, CLASS_WORDS[level]);
  return copy;
}

const changes = fc.array(change, { maxLength: 14 });
const runs = { numRuns: Number(process.env["WEFT_RUNS"] ?? 1500) };

describe("mask soundness", () => {
  it("packets that agree in the words of the mask get the same answer, mask and tags", () => {
    const noise = fc.uint32Array({ minLength: KEY_WORDS, maxLength: KEY_WORDS });
    let flows = 0;
    fc.assert(
      fc.property(changes, packet, noise, (lines, text, words) => {
        const lab = new Lab(lines);
        const input = lab.input(text);
        lab.learn(input);
        const answer = lab.simulate(input);
        // Another port may have been taught the same address.
        const again = lab.check(input, masked(input.key, answer.level));
        if (!answer.isFlow || again.kind === "needs-frame") return;
        flows++;
        const other = words.slice();
        other.set(input.key.subarray(0, CLASS_WORDS[answer.level]));
        assert.equal(((other[0] as number) >>> W0_PARSE_SHIFT) & 7, PARSE_OK);
        assert.deepEqual(again, answer, "the masked key");
        assert.deepEqual(lab.check(input, other), answer, "another packet of the flow");
      }),
      runs,
    );
    assert.ok(flows > runs.numRuns / 5, `only ${flows} flows`);
  });
});

describe("tag completeness", () => {
  it("a change that invalidates no tag of a flow does not change its answer", () => {
    let flows = 0;
    let kept = 0;
    fc.assert(
      fc.property(
        changes,
        fc.array(packet, { minLength: 1, maxLength: 6 }),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (lines, texts, later) => {
          const lab = new Lab(lines);
          const inputs = texts.map((text) => lab.input(text));
          for (const input of inputs) lab.learn(input);
          const before = inputs
            .map((input) => ({ input, answer: lab.check(input, masked(input.key, lab.simulate(input).level)) }))
            .filter(({ answer }) => answer.isFlow);
          const tags = lab.change(later);
          for (const { input, answer } of before) {
            flows++;
            if (answer.tags.some((tag) => tags.has(tag))) continue;
            kept++;
            const now = lab.check(input, masked(input.key, answer.level));
            assert.deepEqual({ ...now, tags: [] }, { ...answer, tags: [] }, later.join("; "));
          }
        },
      ),
      runs,
    );
    assert.ok(kept > flows / 10 && kept < flows, `${kept} of ${flows} kept`);
  });
});

describe("a trace", () => {
  it("changes neither the answer nor what it depends on", () => {
    fc.assert(
      fc.property(changes, packet, (lines, text) => {
        const lab = new Lab(lines);
        const input = lab.input(text);
        const quiet = lab.simulate(input);
        const trace = new TraceText();
        lab.simulator.trace(trace);
        const loud = lab.simulate(input);
        assert.deepEqual(loud, quiet);
        assert.deepEqual([...trace.dependencies.keys()].sort(), [...new Set(quiet.tags)].sort());
      }),
      runs,
    );
  });
});

describe("any packet in any topology", () => {
  it("ends in a result, live or traced, and a trace or check leaves nothing behind", () => {
    fc.assert(
      fc.property(changes, packet, (lines, text) => {
        const lab = new Lab(lines);
        const input = lab.input(text);
        lab.simulate(input);
        lab.check(input, input.key);
        assert.equal(lab.neighbors.shouldProcess(0), false);
        assert.deepEqual(lab.fdb.process(0), []);
        const { frames } = lab.simulator.simulate({ ...input, mode: "live" }, 0).facts;
        for (const { port, bytes } of [...frames]) lab.simulator.emit(port, bytes, 0);
      }),
      runs,
    );
  });
});
