import assert from "node:assert/strict";
import { after, test } from "node:test";
import { unwrap } from "../../../base/result.ts";
import { ensureBpffs } from "../../bpf/bpffs.ts";
import { compileFixture } from "../../bpf/fixture/compile.ts";
import { loadObject } from "../../bpf/libbpf.ts";
import { BpfMap } from "../../bpf/map.ts";
import { programFacts } from "../../bpf/program.ts";
import { mmapRingbuf } from "../../bpf/ringbuf.ts";
import { testNamespace } from "../../fixture/namespace.ts";
import { PacketReceiver } from "../../packet-receiver.ts";
import { PacketSender } from "../../packet-sender.ts";
import { createVeth } from "./create-link.ts";
import { changeLink } from "./link.ts";
import { addClsact, attachBpf, deleteClsact, deleteFilter, listFilters, listQdiscs } from "./traffic-control.ts";

const tc = compileFixture("tc");
const needsClang = { skip: tc === undefined ? "clang is not installed" : false };
after(() => tc?.remove());
const { netns, connection, ifindex } = testNamespace();
unwrap(connection.run(createVeth({ link: { name: "a", usesArp: false }, peer: { name: "b", usesArp: false } })));
for (const name of ["a", "b"]) unwrap(connection.run(changeLink({ name }, { isUp: true })));
const a = ifindex("a");

test("clsact is added once, seen, and taken away", () => {
  unwrap(connection.run(addClsact(a)));
  const again = connection.run(addClsact(a));
  assert.ok(!again.ok);
  assert.equal(again.error.errno, "EEXIST");
  assert.ok(unwrap(connection.run(listQdiscs())).some((qdisc) => qdisc.ifindex === a && qdisc.kind === "clsact"));
  unwrap(connection.run(deleteClsact(a)));
  assert.ok(!unwrap(connection.run(listQdiscs())).some((qdisc) => qdisc.kind === "clsact"));
});

test(
  "a program attached at a fixed place acts on frames, and a second attach replaces it, class and all",
  needsClang,
  () => {
    unwrap(ensureBpffs());
    const object = unwrap(loadObject({ path: tc?.path ?? "" }));
    const place = { ifindex: a, hook: "egress", preference: 10, handle: 1 } as const;
    const sender = unwrap(netns.runResult(() => PacketSender.open({ ifindex: a, slots: 1 })));
    const receiver = unwrap(netns.runResult(() => PacketReceiver.open(ifindex("b"))));
    const send = (): number => {
      receiver.receiveAll();
      sender.bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb6], sender.frameOffset(0));
      sender.describe(0, 60, 5);
      if (sender.flush(0, 1) === 0) assert.equal(sender.errno, "ENOBUFS");
      return receiver.receiveAll().filter((frame) => frame.bytes[12] === 0x88 && frame.bytes[13] === 0xb6).length;
    };
    unwrap(connection.run(addClsact(a)));
    const program = (name: string): number => object.programFd(name) ?? -1;
    unwrap(connection.run(attachBpf({ ...place, programFd: program("count"), name: "weft-test" })));
    assert.equal(send(), 1);
    const ring = unwrap(mmapRingbuf(unwrap(BpfMap.adopt(object.mapFd("ring") ?? -1))));
    const record = new Uint32Array(ring.producerAndData.buffer, ring.dataOffset, 4);
    assert.deepEqual([record[2], record[3]], [60, 5], "length and mark, as the program saw them");
    const [attached, ...others] = unwrap(connection.run(listFilters(a, "egress")));
    assert.deepEqual(attached, {
      ...place,
      kind: "bpf",
      name: "weft-test",
      programId: unwrap(programFacts(program("count"))).id,
    });
    assert.equal(others.length, 0);
    unwrap(connection.run(attachBpf({ ...place, programFd: program("discard"), name: "weft-test" })));
    assert.equal(send(), 0);
    assert.equal(unwrap(connection.run(listFilters(a, "egress"))).length, 1);
    unwrap(connection.run(deleteFilter(place)));
    assert.equal(send(), 1);
    assert.deepEqual(unwrap(connection.run(listFilters(a, "egress"))), []);
    unwrap(
      connection.run(attachBpf({ ...place, programFd: program("tell_class"), name: "weft-test", classId: 0x1234 })),
    );
    assert.equal(send(), 1);
    const counters = unwrap(BpfMap.adopt(object.mapFd("counters") ?? -1));
    const classId = new Uint8Array(8);
    counters.lookup(Uint8Array.of(1, 0, 0, 0), classId);
    assert.deepEqual([...classId.subarray(0, 2)], [0x34, 0x12]);
    object.close();
    sender.close();
    receiver.close();
  },
);

test("a program that is none, and a device that is none, are errors with a sentence", () => {
  const bad = connection.run(
    attachBpf({ ifindex: a, hook: "ingress", preference: 1, handle: 1, programFd: 9999, name: "x" }),
  );
  assert.ok(!bad.ok);
  assert.match(bad.error.text, /^attach x to ingress of interface \d+ failed: E/);
  const gone = connection.run(addClsact(9999));
  assert.ok(!gone.ok);
  assert.equal(gone.error.errno, "ENODEV");
});
