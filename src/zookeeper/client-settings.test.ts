import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readConfig } from "../base/config.ts";
import { unwrap } from "../base/result.ts";
import { type StoreClientValues, storeClientKeys } from "../store/client-config.ts";
import { clientSettings } from "./client-settings.ts";

describe("how a process reaches the store", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-settings-"));
    for (const name of ["secret", "ca", "cert", "key"]) writeFileSync(join(folder, name), `${name}\n`);
    writeFileSync(join(folder, "empty"), "");
  });
  after(() => rmSync(folder, { recursive: true }));

  const read = (line: string): StoreClientValues =>
    unwrap(readConfig(storeClientKeys, { args: line.replaceAll("@", `${folder}/`).split(" ").filter(Boolean) })).values;

  test("secret, TLS files and private nodes become connection options", () => {
    const line = "--store a:1,b:2 --store-secret-file @secret --store-private --store-tls --store-tls-ca @ca";
    const settings = unwrap(clientSettings(read(`${line} --store-tls-cert @cert --store-tls-key @key`)));
    assert.deepEqual(settings.tls, { ca: "ca\n", certificate: "cert\n", key: "key\n" });
    assert.deepEqual([settings.servers, settings.isPrivate], [["a:1", "b:2"], true]);
    assert.deepEqual(new TextDecoder().decode(settings.auth?.[0]?.auth), "weft:secret");
    assert.equal(unwrap(clientSettings(read(""))).tls, undefined);
  });

  test("what cannot be meant is refused with its key", () => {
    for (const [line, sentence] of [
      ["--store nonsense:x", /^store: /],
      ["--store-secret-file @missing", /^store-secret-file: .*ENOENT/],
      ["--store-secret-file @empty", /^store-secret-file: .*is empty/],
      ["--store-private", /store-secret-file/],
      ["--store-tls-ca @ca", /store-tls is not on/],
      ["--store a:1 --store-tls --store-tls-cert @cert", /belong together/],
      ["--store a:1,unix:/s --store-tls", /^store-tls: unix:\/s .*never encrypted/],
    ] as const) {
      const settings = clientSettings(read(line));
      assert.ok(!settings.ok, line);
      assert.match(settings.error, sentence);
    }
  });
});
