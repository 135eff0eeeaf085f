import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { failure, value } from "../store/compliance/expecting.ts";
import { journalSuite } from "../store/compliance/journal-suite.ts";
import { encodeRecord } from "../store/local-records.ts";
import { FileJournal } from "./journal-file.ts";

async function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "weft-journal-"));
}

journalSuite("file", async () => {
  const folder = await newFolder();
  const path = join(folder, "journal");
  let journal = new FileJournal(path);
  return {
    get journal() {
      return journal;
    },
    async losePower(late, survivingBytes) {
      await journal.close();
      const file = await open(path, "a", 0o600);
      const bytes = Buffer.concat(late.map(encodeRecord));
      await file.write(bytes.subarray(0, survivingBytes));
      await file.close();
      journal = new FileJournal(path);
    },
    async close() {
      await journal.close();
      await rm(folder, { recursive: true });
    },
  };
});

describe("file journal", () => {
  let folder: string;
  let path: string;

  before(async () => {
    folder = await newFolder();
    path = join(folder, "journal");
  });

  after(() => rm(folder, { recursive: true }));

  it("can be read by its owner only, the one that a snapshot makes too", async () => {
    const journal = new FileJournal(path);
    journal.append(Uint8Array.of(1));
    value(await journal.sync());
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    value(await journal.replace([Uint8Array.of(2)]));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ["journal"]);
    await journal.close();
  });

  it("finds the old content when power was lost while a snapshot was written", async () => {
    const before = await readFile(path);
    await writeFile(`${path}.new`, before.subarray(0, 3), { mode: 0o600 });
    const journal = new FileJournal(path);
    assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(2)]);
    value(await journal.replace([Uint8Array.of(3)]));
    assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(3)]);
    await journal.close();
  });

  it("tells of a full disk as a value, keeps what it could not write, and goes on when there is room", async () => {
    const full = join(folder, "full");
    await symlink("/dev/full", full);
    const journal = new FileJournal(full);
    journal.append(Uint8Array.of(1));
    assert.deepEqual(failure(await journal.sync()), { code: "ENOSPC", what: "sync" });
    await symlink("/dev/full", `${full}.new`);
    assert.deepEqual(failure(await journal.replace([Uint8Array.of(9)])), { code: "ENOSPC", what: "write" });
    await unlink(`${full}.new`);
    assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(1)]);
    value(await journal.replace([]));
    journal.append(Uint8Array.of(2));
    value(await journal.sync());
    assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(2)]);
    await journal.close();
  });

  it("tells of a folder that is not there as a value", async () => {
    const journal = new FileJournal(join(folder, "no", "journal"));
    assert.deepEqual(failure(await journal.read()), { code: "ENOENT", what: "read" });
  });
});
