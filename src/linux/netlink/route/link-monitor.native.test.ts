import assert from "node:assert/strict";
import { after, test } from "node:test";
import { unwrap } from "../../../base/result.ts";
import { systemScheduler } from "../../../base/scheduler.ts";
import { testNamespace } from "../../fixture/namespace.ts";
import { RequestBroker } from "../broker.ts";
import { netlinkProtocol } from "../protocol.ts";
import { NetlinkSocket } from "../socket.ts";
import { createVeth } from "./create-link.ts";
import { changeLink, deleteLink, listLinks } from "./link.ts";
import { type LinkEvent, LinkMonitor, linkEventStream } from "./link-monitor.ts";
import { routeGroup } from "./types.ts";

const { netns, connection } = testNamespace();
const openPort = (kind: { readonly groups?: readonly number[]; readonly receiveBufferBytes?: number }) =>
  unwrap(netns.runResult(() => NetlinkSocket.open({ protocol: netlinkProtocol.route, ...kind })));
const broker = new RequestBroker({ port: openPort({}), scheduler: systemScheduler });
after(() => broker.close());

function monitor(receiveBufferBytes?: number) {
  const events: string[] = [];
  const waiting: { readonly matches: (event: LinkEvent) => boolean; readonly resolve: () => void }[] = [];
  const buffer = receiveBufferBytes === undefined ? {} : { receiveBufferBytes };
  const links = new LinkMonitor({
    notifications: openPort({ groups: [routeGroup.link], ...buffer }),
    broker,
    scheduler: systemScheduler,
    onEvent(event) {
      events.push(`${event.kind} ${event.link.name} ${event.link.operState}`);
      for (const one of waiting.splice(0)) {
        if (one.matches(event)) one.resolve();
        else waiting.push(one);
      }
    },
  });
  after(() => links.close());
  const event = (matches: (event: LinkEvent) => boolean) =>
    new Promise<void>((resolve) => waiting.push({ matches, resolve }));
  return { links, events, event };
}

test("links that are there, come, go up, get a carrier, are renamed and go are told of", async () => {
  const { links, events, event } = monitor();
  await event(({ kind, link }) => kind === "new" && link.name === "lo");
  const made = event(({ kind, link }) => kind === "new" && link.name === "m0");
  unwrap(await broker.run(createVeth({ link: { name: "m0" }, peer: { name: "m1" } })));
  await made;
  const waits = event(({ link }) => link.name === "m0" && link.operState === "lowerlayerdown");
  unwrap(await broker.run(changeLink({ name: "m0" }, { isUp: true })));
  await waits;
  const carries = event(({ link }) => link.name === "m0" && link.operState === "up" && link.hasCarrier);
  unwrap(await broker.run(changeLink({ name: "m1" }, { isUp: true })));
  await carries;
  const renamed = event(({ kind, link }) => kind === "changed" && link.name === "m2");
  unwrap(await broker.run(changeLink({ ifindex: links.byName("m1")?.ifindex ?? 0 }, { newName: "m2" })));
  await renamed;
  assert.equal(links.byName("m1"), undefined);
  const gone = event(({ kind, link }) => kind === "gone" && link.name === "m0");
  unwrap(await broker.run(deleteLink({ name: "m2" })));
  await gone;
  assert.equal(links.byName("m0"), undefined);
  assert.equal(events[0], "new lo down");
  links.close();
});

test("after an overrun the links are listed again, and nothing is missed", async () => {
  const { links, event } = monitor(2048);
  await event(({ kind, link }) => kind === "new" && link.name === "lo");
  // Synchronous, so that the monitor cannot read while these happen.
  for (let i = 0; i < 40; i++) unwrap(connection.run(createVeth({ link: { name: `o${i}` }, peer: { name: `p${i}` } })));
  for (let i = 0; i < 39; i++) unwrap(connection.run(deleteLink({ name: `o${i}` })));
  const settled = event(({ link }) => link.name === "p39" || link.name === "o39");
  await settled;
  const last = event(({ kind, link }) => kind === "gone" && link.name === "o39");
  unwrap(connection.run(deleteLink({ name: "o39" })));
  await last;
  assert.ok(links.overruns >= 1, "the burst was meant to overrun");
  assert.ok(links.relisted >= 1);
  const truth = unwrap(connection.run(listLinks())).map((link) => link.name);
  const known = [...links.links.values()].map((link) => link.name);
  assert.deepEqual(
    known.filter((name) => name !== "p39"),
    truth,
  );
  links.close();
});

test("the changes of links are a stream that its reader may leave", async () => {
  const stream = linkEventStream({
    notifications: openPort({ groups: [routeGroup.link] }),
    broker,
    scheduler: systemScheduler,
  });
  after(() => stream.return());
  const seen: string[] = [];
  for await (const item of stream) {
    if (item.kind === "overrun") continue;
    seen.push(`${item.value.kind} ${item.value.link.name}`);
    if (item.value.link.name === "lo")
      unwrap(await broker.run(createVeth({ link: { name: "s0" }, peer: { name: "s1" } })));
    if (item.value.link.name === "s0") break;
  }
  assert.equal(seen[0], "new lo");
  assert.ok(seen.includes("new s0"));
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});
