import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { type ApacheEnsemble, freePorts, startApache } from "./apache-zookeeper.ts";

const password = "test-password";

/** A key with a certificate for 127.0.0.1 that signs itself; PEM of the certificate. */
function makeCertificate(folder: string, name: string, validity: readonly string[]): string {
  const store = ["-keystore", join(folder, `${name}.p12`), "-storetype", "PKCS12", "-storepass", password];
  const keytool = (args: readonly string[]): string =>
    execFileSync("keytool", args, { encoding: "utf8", stdio: "pipe" });
  const subject = ["-dname", "CN=127.0.0.1", "-ext", "SAN=ip:127.0.0.1"];
  keytool(["-genkeypair", "-alias", name, "-keyalg", "EC", ...subject, ...validity, ...store]);
  const pem = keytool(["-exportcert", "-rfc", "-alias", name, ...store]);
  const file = join(folder, `${name}.pem`);
  keytool(["-exportcert", "-rfc", "-alias", name, "-file", file, ...store]);
  const trust = ["-keystore", join(folder, `${name}-trust.p12`), "-storetype", "PKCS12", "-storepass", password];
  keytool(["-importcert", "-noprompt", "-alias", name, "-file", file, ...trust]);
  return pem.trim() === "" ? readFileSync(file, "utf8") : pem;
}

function tlsSettings(folder: string, name: string, port: number): string[] {
  return [
    `secureClientPort=${port}`,
    "secureClientPortAddress=127.0.0.1",
    "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
    `ssl.keyStore.location=${join(folder, `${name}.p12`)}`,
    `ssl.keyStore.password=${password}`,
    `ssl.trustStore.location=${join(folder, `${name}-trust.p12`)}`,
    `ssl.trustStore.password=${password}`,
    "ssl.clientAuth=none",
  ];
}

describe("client and Apache ZooKeeper over TLS", { timeout: 120_000, skip: needs("java", "mvn") }, () => {
  let folder: string;
  const running: ApacheEnsemble[] = [];
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-tls-"));
  });
  after(async () => {
    await Promise.all(running.map((apache) => apache.stop()));
    rmSync(folder, { recursive: true });
  });

  const start = async (
    name: string,
    validity: readonly string[],
  ): Promise<{ readonly server: string; readonly ca: string }> => {
    const ca = makeCertificate(folder, name, validity);
    const [port = 0] = await freePorts(1);
    const apache = await startApache(1, tlsSettings(folder, name, port));
    running.push(apache);
    // The plain port tells when it serves.
    await unwrap(await connectZooKeeper({ servers: apache.addresses, connectWithinMs: 60_000 })).close();
    return { server: `127.0.0.1:${port}`, ca };
  };

  test("a session over TLS works; without the server's authority it is refused, and says why", async () => {
    const { server, ca } = await start("good", ["-validity", "2"]);
    const tree = unwrap(await connectZooKeeper({ servers: [server], tls: { ca } }));
    unwrap(await tree.create("/secret", new Uint8Array(100_000)));
    assert.equal(unwrap(await tree.get("/secret")).data.length, 100_000);
    await tree.close();
    const refused = await connectZooKeeper({ servers: [server], tls: {}, connectWithinMs: 2_000 });
    assert.ok(!refused.ok && refused.error.kind === "unreachable");
    assert.match(refused.error.why, /self-signed certificate/);
    const settings = { servers: [server], tls: { ca, serverName: "store.example" }, connectWithinMs: 2_000 };
    const misnamed = await connectZooKeeper(settings);
    assert.ok(!misnamed.ok && misnamed.error.kind === "unreachable");
    assert.match(misnamed.error.why, /does not match certificate/);
    const plain = await connectZooKeeper({ servers: [server], connectWithinMs: 2_000 });
    assert.ok(!plain.ok && plain.error.kind === "unreachable", "speaking in the clear to a TLS port");
  });

  test("an expired certificate is refused by name", async () => {
    const { server, ca } = await start("expired", ["-startdate", "-10d", "-validity", "1"]);
    const refused = await connectZooKeeper({ servers: [server], tls: { ca }, connectWithinMs: 2_000 });
    assert.ok(!refused.ok && refused.error.kind === "unreachable");
    assert.match(refused.error.why, /certificate has expired/);
  });
});
