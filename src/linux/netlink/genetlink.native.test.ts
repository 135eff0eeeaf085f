import assert from "node:assert/strict";
import { after, test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { systemScheduler } from "../../base/scheduler.ts";
import { RequestBroker } from "./broker.ts";
import { NetlinkConnection } from "./connection.ts";
import { listFamilies, resolveFamily } from "./genetlink.ts";
import { netlinkProtocol } from "./protocol.ts";
import { NetlinkSocket } from "./socket.ts";

const port = unwrap(NetlinkSocket.open({ protocol: netlinkProtocol.generic }));
const broker = new RequestBroker({ port, scheduler: systemScheduler });
after(() => broker.close());

test("the controller knows itself, with its notification group", async () => {
  const controller = unwrap(await broker.run(resolveFamily("nlctrl")));
  assert.equal(controller?.id, 16);
  assert.deepEqual(
    controller?.groups.map((group) => group.name),
    ["notify"],
  );
});

test("every listed family resolves to itself", async () => {
  const families = unwrap(await broker.run(listFamilies()));
  assert.ok(families.length >= 2);
  const resolved = await Promise.all(families.map((family) => broker.run(resolveFamily(family.name))));
  assert.deepEqual(resolved.map(unwrap), families);
});

test("a family that this kernel lacks is ENOENT, also through the blocking connection", async () => {
  const absent = await broker.run(resolveFamily("no_such_family"));
  assert.ok(!absent.ok);
  assert.equal(absent.error.errno, "ENOENT");
  const connection = unwrap(NetlinkConnection.open({ protocol: netlinkProtocol.generic }));
  const again = connection.run(resolveFamily("no_such_family"));
  assert.deepEqual(again, absent);
  connection.close();
});
