import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readConfig } from "../base/config.ts";
import { unwrap } from "../base/result.ts";
import { type AgentValues, agentSchema } from "./config.ts";
import { listenManagement, managementOf, publishedAddress } from "./management.ts";

const TOKEN = "a-token-of-the-cloud";

describe("an agent on the management network", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-management-"));
    writeFileSync(join(folder, "token"), `${TOKEN}\n`);
  });
  after(() => rmSync(folder, { recursive: true }));

  const valuesOf = (...args: readonly string[]): AgentValues => {
    const config = readConfig(agentSchema, { args, env: {} });
    assert.ok(config.ok);
    return config.value.values;
  };

  it("publishes its address there, else that of its socket", () => {
    const values = valuesOf("--api-listen", "10.0.0.5:6678", "--api-token-file", join(folder, "token"));
    const management = unwrap(managementOf(values));
    assert.deepEqual(management, { host: "10.0.0.5", port: 6678, token: TOKEN });
    assert.equal(publishedAddress(values, management), "http://10.0.0.5:6678");
    assert.equal(publishedAddress(valuesOf("--api-socket", "/x.sock"), undefined), "unix:/x.sock");
    const v6 = valuesOf("--api-listen", "[fd00::5]:6678", "--api-token-file", join(folder, "token"));
    assert.equal(publishedAddress(v6, unwrap(managementOf(v6))), "http://[fd00::5]:6678");
  });

  it("needs one address, a port and a token, and says which is missing", () => {
    for (const listen of ["6678", "0.0.0.0:6678", "[::]:6678", "host:6678", "10.0.0.5:0", "10.0.0.5:70000"]) {
      const refused = managementOf(valuesOf("--api-listen", listen, "--api-token-file", join(folder, "token")));
      assert.ok(!refused.ok && refused.error.startsWith(`api-listen: ${listen}: expected`), listen);
    }
    const alone = managementOf(valuesOf("--api-listen", "10.0.0.5:6678"));
    assert.ok(!alone.ok && /^api-token-file is missing/.test(alone.error));
    const lost = managementOf(valuesOf("--api-listen", "10.0.0.5:6678", "--api-token-file", join(folder, "none")));
    assert.ok(!lost.ok && /^api-token-file: ENOENT/.test(lost.error));
  });

  it("answers those who show the token, and no others", async () => {
    const management = { host: "127.0.0.1", port: 0, token: TOKEN };
    const server = unwrap(await listenManagement(management, (_request, response) => void response.end("served")));
    const { port } = server.address() as AddressInfo;
    const ask = (headers: Record<string, string>): Promise<Response> => fetch(`http://127.0.0.1:${port}/`, { headers });
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ authorization: "Bearer another" })).status, 401);
    assert.equal(await (await ask({ authorization: `Bearer ${TOKEN}` })).text(), "served");
    server.closeAllConnections();
    server.close();
  });
});
