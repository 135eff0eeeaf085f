import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { makeFolder } from "./make-folder.ts";

describe("making a folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-folder-"));
  after(() => rmSync(folder, { recursive: true }));

  it("makes those above it too, for its owner only, and finds what is there", () => {
    const path = join(folder, "a/b/c");
    for (let time = 0; time < 2; time++) assert.deepEqual(makeFolder(path), { ok: true, value: undefined });
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, "a")).mode & 0o777, 0o700);
  });

  it("is refused with a sentence where none can be: below /proc, below a file", () => {
    writeFileSync(join(folder, "file"), "");
    for (const path of ["/proc/weft-none/a", join(folder, "file/a"), join(folder, "file")]) {
      const made = makeFolder(path);
      assert.ok(!made.ok && /ENOENT|EEXIST|ENOTDIR|EROFS|EACCES/.test(made.error), path);
    }
  });
});
