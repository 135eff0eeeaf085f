import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { unwrap } from "../../../base/result.ts";
import { testNamespace } from "../../fixture/namespace.ts";
import { NetlinkConnection } from "../connection.ts";
import { lookUpRoute } from "./route-lookup.ts";

test("the way to an address is what ip route get says, with the MTU of the route", () => {
  const space = testNamespace();
  const ip = (words: string): void => {
    const { status, stderr } = spawnSync("ip", ["-n", space.name, ...words.split(" ")]);
    assert.equal(status, 0, `${words}: ${stderr}`);
  };
  ip("link add l0 type veth peer name l1");
  ip("addr add 10.9.0.1/24 dev l0");
  ip("addr add fd09::1/64 dev l0 nodad");
  ip("link set l1 up");
  ip("link set l0 up");
  ip("route add 10.8.0.0/24 via 10.9.0.2 mtu 1300");
  const connection = unwrap(NetlinkConnection.open({ netns: space.netns }));
  const near = unwrap(connection.run(lookUpRoute(Uint8Array.of(10, 9, 0, 7))));
  assert.deepEqual([near?.source, near?.gateway, near?.mtu], [Uint8Array.of(10, 9, 0, 1), undefined, undefined]);
  const far = unwrap(connection.run(lookUpRoute(Uint8Array.of(10, 8, 0, 7))));
  assert.deepEqual([far?.gateway, far?.mtu, far?.ifindex], [Uint8Array.of(10, 9, 0, 2), 1300, near?.ifindex]);
  const six = Uint8Array.of(0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
  assert.equal(unwrap(connection.run(lookUpRoute(six)))?.ifindex, near?.ifindex);
  const none = connection.run(lookUpRoute(Uint8Array.of(192, 0, 2, 1)));
  assert.equal(none.ok ? "" : none.error.errno, "ENETUNREACH");
  connection.close();
});
