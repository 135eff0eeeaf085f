import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Link, linkFlags } from "../linux/netlink/route/link.ts";
import { whyNotBound } from "./bindable.ts";
import { TUNNEL_DEVICE } from "./devices.ts";

const veth: Link = {
  ...{ ifindex: 7, name: "tap0", hardwareType: 1, flags: 0, mac: undefined, mtu: 1500, operState: "up" },
  ...{ hasCarrier: true, masterIfindex: undefined, peerIfindex: 8, peerNetnsId: 0, kind: "veth", stats: undefined },
};

/** Why a port that is not said to lead out cannot be on such a link, or with `external` one that is. */
function why(change: Partial<Link>, more: { readonly uses?: "address" | "route"; readonly external?: true } = {}) {
  const survey = {
    hasAddress: async () => more.uses === "address",
    hasDefaultRoute: async () => more.uses === "route",
  };
  return whyNotBound({ ...veth, ...change }, { survey, isExternal: more.external === true });
}

describe("an interface that a port is to be on", () => {
  it("is taken when it is a VM's", async () => {
    for (const kind of ["veth", "tun", "netkit", "macvtap"]) assert.equal(await why({ kind }), undefined);
  });

  it("is refused when the host uses it itself, whatever the port is said to be", async () => {
    for (const external of [{}, { external: true }] as const) {
      assert.match((await why({ flags: linkFlags.loopback }, external)) ?? "", /loopback/);
      assert.match((await why({ name: TUNNEL_DEVICE }, external)) ?? "", /weft's own/);
      assert.match((await why({ masterIfindex: 3 }, external)) ?? "", /take it out first/);
      assert.match((await why({}, { uses: "address", ...external })) ?? "", /remove the address/);
      assert.match((await why({}, { uses: "route", ...external })) ?? "", /remove the route/);
    }
  });

  it("is refused when it is hardware, or stands for some, until the port is said to lead there", async () => {
    for (const kind of [undefined, "bond", "team", "vlan"]) {
      assert.match((await why({ kind })) ?? "", /physical network.*--external/);
      assert.equal(await why({ kind }, { external: true }), undefined);
    }
  });
});
