import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ERROR_CATALOGUE } from "../api-schema/errors.ts";
import { encodeObject } from "../model/encoding.ts";
import { idOf } from "../model/testdata/topology.ts";
import { ApiFixture } from "./testdata/fixture.ts";

const UUID = /^[0-9a-f-]{36}$/;

describe("the API", () => {
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture().open();
  });
  after(() => api.close());

  describe("who asks", () => {
    it("must show the token, and is told nothing otherwise", async () => {
      for (const token of [undefined, "", "wrong", `${"0".repeat(31)}1`]) {
        const reply = await api.send("GET /v1/bridges", undefined, { token });
        assert.deepEqual([reply.outcome, reply.headers["www-authenticate"]], ["unauthenticated", "Bearer"]);
      }
      assert.equal((await api.send("GET /v1/nowhere", undefined, { token: "wrong" })).outcome, "unauthenticated");
      assert.equal((await api.send("GET /v1/health", undefined, { token: undefined })).status, 200);
    });

    it("finds the kinds and the document from the root", async () => {
      const root = await api.send("GET /v1");
      assert.equal(root.body.kinds["tunnel-zone"], "/v1/tunnel-zones");
      const document = await api.send(`GET ${root.body.document}`);
      assert.equal(document.body.openapi, "3.1.0");
      assert.ok(document.body.paths["/v1/ports/{id}/bind"].post.requestBody);
    });
  });

  describe("a request that is none", () => {
    it("is refused with what was expected", async () => {
      const cases: readonly (readonly [string, Promise<{ readonly outcome: string }>])[] = [
        ["bad-json", api.send("POST /v1/bridges", undefined, { text: "{" })],
        ["bad-value", api.send("POST /v1/bridges", [])],
        ["bad-value", api.send("POST /v1/bridges")],
        [
          "bad-content-type Content-Type",
          api.send("POST /v1/bridges", undefined, { text: "a=1", headers: { "content-type": "text/plain" } }),
        ],
        ["body-too-large", api.send("POST /v1/bridges", { name: "x".repeat(2 ** 20) })],
        ["no-path", api.send("GET /v1/switches")],
        ["no-path", api.send("GET /")],
        ["no-path", api.send("DELETE /v1/bridges//")],
        ["bad-method", api.send("DELETE /v1/bridges")],
        ["bad-method", api.send(`PUT /v1/ports/${idOf(1)}/bind`, {})],
        ["bad-query colour", api.send("GET /v1/bridges?colour=red")],
        ["bad-query limit", api.send("GET /v1/bridges?limit=0")],
        ["bad-query limit", api.send("GET /v1/flows?limit=x")],
        ["bad-query name", api.send("GET /v1/bridges?name=a&name=b")],
        ["bad-query If-Match", api.send(`DELETE /v1/bridges/${idOf(1)}`, undefined, { headers: { "if-match": "3" } })],
        ["bad-query kind", api.send("GET /v1/watch?kind=switch")],
      ];
      for (const [expected, reply] of cases) assert.equal((await reply).outcome, expected);
    });

    it("has a remedy and a sentence in every answer", async () => {
      const { body } = await api.send("POST /v1/bridges", { nome: "a" });
      assert.deepEqual(body.error, {
        code: "missing-field",
        message:
          "field name: a field that is needed is absent; expected a name of 1 to 255 visible characters, without blanks at the ends",
        remedy: ERROR_CATALOGUE["missing-field"].remedy,
        field: "name",
        expected: "a name of 1 to 255 visible characters, without blanks at the ends",
        more: [
          {
            code: "unknown-field",
            field: "nome",
            expected: "only id, tenant, name, isUp, inboundFilterId, outboundFilterId",
          },
        ],
      });
    });
  });

  describe("an object", () => {
    it("is created, shown, listed, changed, replaced and deleted", async () => {
      const made = await api.send("POST /v1/routers", { name: "edge", tenant: "blue" });
      assert.match(made.body.id, UUID);
      assert.equal(made.headers["location"], `/v1/routers/${made.body.id}`);
      const path = `/v1/routers/${made.body.id}`;
      assert.deepEqual((await api.send(`GET ${path}`)).body, made.body);
      const listed = await api.send("GET /v1/routers?tenant=blue&name=edge");
      assert.deepEqual(listed.body, { items: [made.body] });
      const down = await api.send(`PATCH ${path}`, { isUp: false });
      assert.deepEqual([down.body.isUp, down.body.version, down.headers["etag"]], [false, 1, '"1"']);
      const replaced = await api.send(`PUT ${path}`, { ...down.body, name: "core" });
      assert.deepEqual(replaced.body, { ...down.body, name: "core", version: 2 });
      assert.equal((await api.send(`DELETE ${path}`)).status, 204);
      assert.equal((await api.send(`GET ${path}`)).outcome, "not-found");
      assert.equal((await api.send(`DELETE ${path}`)).outcome, "not-found");
    });

    it("with an id of the client's is created once, however often it is asked for", async () => {
      const body = { id: idOf(101), name: "once" };
      assert.equal((await api.send("POST /v1/bridges", body)).status, 201);
      const again = await api.send("POST /v1/bridges", { ...body, id: body.id.toUpperCase() });
      assert.deepEqual([again.status, again.body.version], [200, 0]);
      assert.equal((await api.send("POST /v1/bridges", { ...body, name: "twice" })).outcome, "id-taken id");
    });

    it("is changed only in the version that the request names", async () => {
      const { id } = await api.make("bridges", { name: "versioned" });
      const path = `/v1/bridges/${id}`;
      const match = (tag: string) => ({ headers: { "if-match": tag } });
      assert.equal((await api.send(`PATCH ${path}`, { isUp: false }, match('"0"'))).status, 200);
      assert.equal((await api.send(`PATCH ${path}`, { isUp: true }, match('"0"'))).outcome, "version-mismatch");
      assert.equal((await api.send(`PATCH ${path}`, { isUp: true, version: 0 })).outcome, "version-mismatch");
      assert.equal(
        (await api.send(`PATCH ${path}`, { isUp: true, version: 1 }, match('"0"'))).outcome,
        "version-mismatch",
      );
      assert.equal((await api.send(`DELETE ${path}`, undefined, match('"0"'))).outcome, "version-mismatch");
      assert.equal((await api.send(`PATCH ${path}`, { isUp: true }, match("*"))).status, 200);
      assert.equal((await api.send(`DELETE ${path}`, undefined, match('"2"'))).status, 204);
    });

    it("keeps what is fixed and what weft keeps, and says so", async () => {
      const bridge = await api.make("bridges", { name: "kept" });
      const path = `/v1/bridges/${bridge.id}`;
      assert.equal((await api.send(`PATCH ${path}`, { tenant: "red" })).outcome, "immutable-field tenant");
      assert.equal((await api.send(`PATCH ${path}`, { portIds: [idOf(1)] })).outcome, "read-only-field portIds");
      assert.equal((await api.send(`PATCH ${path}`, { name: null })).outcome, "bad-value name");
      assert.equal((await api.send("POST /v1/bridges", { name: "a", version: 1 })).outcome, "read-only-field version");
    });

    it("that refers to nothing, or has another's name, is refused and nothing is written", async () => {
      assert.equal((await api.send("POST /v1/ports", { bridgeId: idOf(999) })).outcome, "dangling-reference bridgeId");
      await api.make("chains", { name: "taken" });
      assert.equal((await api.send("POST /v1/chains", { name: "taken" })).outcome, "duplicate-name name");
      assert.equal((await api.send("POST /v1/chains", { name: "taken", tenant: "red" })).status, 201);
      assert.equal((await api.send("GET /v1/ports")).body.items.length, 0);
    });

    it("is listed in parts that make the whole", async () => {
      for (let i = 0; i < 5; i++) await api.make("hosts", { name: `part${i}` });
      const ids: string[] = [];
      let after = "";
      do {
        const part = await api.send(`GET /v1/hosts?limit=2${after}`);
        ids.push(...part.body.items.map((item: { readonly id: string }) => item.id));
        after = part.body.next === undefined ? "" : `&after=${part.body.next}`;
      } while (after !== "");
      const whole = await api.send("GET /v1/hosts");
      assert.deepEqual(
        ids,
        whole.body.items.map((item: { readonly id: string }) => item.id),
      );
      assert.deepEqual(ids, ids.toSorted());
    });

    it("that many change at once is changed by all of them", async () => {
      const { id } = await api.make("bridges", { name: "raced" });
      const replies = await Promise.all(
        Array.from({ length: 6 }, (_, i) => api.send(`PATCH /v1/bridges/${id}`, { name: `raced${i}` })),
      );
      for (const reply of replies) assert.equal(reply.status, 200);
      assert.equal((await api.send(`GET /v1/bridges/${id}`)).body.version, 6);
    });
  });

  describe("what is wrong with an object alone", () => {
    it("is said by field", async () => {
      const { id: routerId } = await api.make("routers", { name: "alone" });
      const { id: chainId } = await api.make("chains", { name: "alone" });
      const rule = (condition: unknown) => api.send("POST /v1/rules", { chainId, condition, action: { type: "drop" } });
      const cases: readonly (readonly [string, Promise<{ readonly outcome: string }>])[] = [
        ["unknown-field vlan", api.send("POST /v1/ports", { routerId, vlan: 5 })],
        ["bad-value addresses[0]", api.send("POST /v1/ports", { routerId, addresses: ["10.0.0.0/24"] })],
        [
          "bad-value destination",
          api.send("POST /v1/routes", { routerId, destination: "10.0.0.1/8", nextHop: { type: "reject" } }),
        ],
        [
          "bad-value nextHop.type",
          api.send("POST /v1/routes", { routerId, destination: "10.0.0.0/8", nextHop: { type: "away" } }),
        ],
        [
          "duplicate-item addresses[1]",
          api.send("POST /v1/ports", { routerId, addresses: ["10.0.0.1/24", "10.0.0.1/24"] }),
        ],
        ["too-many addresses", api.send("POST /v1/ports", { routerId, addresses: new Array(65).fill("10.0.0.1/24") })],
        ["bad-condition condition.protocol", rule({ destinationPorts: { from: 1, to: 2 } })],
        ["bad-condition condition.destination", rule({ source: "10.0.0.0/8", destination: "::/0" })],
        ["bad-value action.type", api.send("POST /v1/rules", { chainId, action: { type: "deny" } })],
      ];
      for (const [expected, reply] of cases) assert.equal((await reply).outcome, expected);
    });
  });

  describe("routers", () => {
    it("have ports without overlap, routes over their own ports, and gateways on their links", async () => {
      const { id: routerId } = await api.make("routers", { name: "linked" });
      const { id: other } = await api.make("routers", { name: "elsewhere" });
      const port = await api.make("ports", { routerId, addresses: ["10.1.0.1/24"] });
      const far = await api.make("ports", { routerId: other, addresses: ["10.2.0.1/24"] });
      assert.equal(
        (await api.send("POST /v1/ports", { routerId, addresses: ["10.1.0.129/25"] })).outcome,
        "address-overlap addresses[0]",
      );
      const route = (portId: string, gateway: string) =>
        api.send("POST /v1/routes", {
          routerId,
          destination: "0.0.0.0/0",
          nextHop: { type: "port", portId, gateway },
        });
      assert.equal((await route(far.id, "10.2.0.2")).outcome, "next-hop-elsewhere nextHop.portId");
      assert.equal((await route(port.id, "10.3.0.2")).outcome, "gateway-off-link nextHop.gateway");
      const made = await route(port.id, "10.1.0.2");
      assert.equal(made.status, 201);
      assert.deepEqual((await api.send(`GET /v1/routers/${routerId}`)).body.routeIds, [made.body.id]);
      const moved = await api.send(`PATCH /v1/ports/${port.id}`, { addresses: ["10.9.0.1/24"] });
      assert.equal(moved.outcome, "gateway-off-link addresses");
      assert.equal((await api.send(`DELETE /v1/ports/${port.id}`)).status, 204);
      assert.equal((await api.send(`GET /v1/routes/${made.body.id}`)).outcome, "not-found");
    });
  });

  describe("chains", () => {
    it("keep rules in the places that clients choose", async () => {
      const { id: chainId } = await api.make("chains", { name: "ordered" });
      const add = (position?: number) =>
        api.make("rules", { chainId, action: { type: "accept" }, ...(position ? { position } : {}) });
      const [first, second, front] = [await add(), await add(), await add(1)];
      assert.deepEqual([first.position, second.position, front.position], [1, 2, 1]);
      const order = async (): Promise<readonly string[]> => (await api.send(`GET /v1/chains/${chainId}`)).body.ruleIds;
      assert.deepEqual(await order(), [front.id, first.id, second.id]);
      const moved = await api.send(`PATCH /v1/rules/${front.id}`, { position: 3 });
      assert.equal(moved.body.position, 3);
      assert.deepEqual(await order(), [first.id, second.id, front.id]);
      const inOrder = await api.send(`GET /v1/chains/${chainId}/rules`);
      assert.deepEqual(
        inOrder.body.items.map((rule: { position: number }) => rule.position),
        [1, 2, 3],
      );
      assert.equal((await api.send(`GET /v1/chains/${idOf(9)}/rules`)).outcome, "not-found");
      const listed = await api.send(`GET /v1/rules?chainId=${chainId}`);
      const places = Object.fromEntries(
        listed.body.items.map((rule: { id: string; position: number }) => [rule.id, rule.position]),
      );
      assert.deepEqual(places, { [first.id]: 1, [second.id]: 2, [front.id]: 3 });
    });

    it("never jump in circles", async () => {
      const { id: a } = await api.make("chains", { name: "a" });
      const { id: b } = await api.make("chains", { name: "b" });
      await api.make("rules", { chainId: a, action: { type: "jump", chainId: b } });
      const back = await api.send("POST /v1/rules", { chainId: b, action: { type: "jump", chainId: a } });
      assert.equal(back.outcome, "chain-loop action.chainId");
    });

    it("leave their users when they are deleted", async () => {
      const chain = await api.make("chains", { name: "leaving" });
      const bridge = await api.make("bridges", { name: "filtered", inboundFilterId: chain.id });
      assert.equal((await api.send(`DELETE /v1/chains/${chain.id}`)).status, 204);
      assert.equal("inboundFilterId" in (await api.send(`GET /v1/bridges/${bridge.id}`)).body, false);
    });
  });

  describe("a store with damage", () => {
    it("answers for everything else, and names what is damaged", async () => {
      const good = await api.make("tunnel-zones", { name: "good" });
      await api.plant(`/weft/objects/tunnel-zones/${idOf(201)}`, "{");
      const newer = encodeObject({ kind: "tunnel-zone", id: idOf(202), name: "new", mtu: 1500, members: [] });
      await api.plant(`/weft/objects/tunnel-zones/${idOf(202)}`, newer.replace('"v":1', '"v":2'));
      const listed = await api.send("GET /v1/tunnel-zones");
      assert.deepEqual(listed.body.items, [good]);
      assert.deepEqual(
        listed.body.damaged.map(({ id, error }: { id: string; error: { code: string } }) => [id, error.code]),
        [
          [idOf(201), "damaged-document"],
          [idOf(202), "newer-document"],
        ],
      );
      assert.equal((await api.send(`GET /v1/tunnel-zones/${idOf(201)}`)).outcome, "damaged-document");
      assert.equal((await api.send(`GET /v1/tunnel-zones/${idOf(202)}`)).outcome, "newer-document v");
    });
  });
});
