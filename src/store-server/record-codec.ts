import { err, ok, type Result } from "../base/result.ts";
import type { NodeLifetime } from "../store/data-tree-node.ts";
import type { SnapshotEntry, TransactionRecord, TreeChange } from "../store/data-tree-record.ts";
import { type JuteError, JuteReader, JuteWriter } from "../zookeeper/jute.ts";

/**
 * The stored form of records and snapshot entries: Jute, with a number for the kind in front. Written with the layout's version
 * beside it (journal.ts); a reader knows this one only.
 */
export const recordFormat = 1;

const changeCode = { create: 1, set: 2, remove: 3, "open-session": 4, "close-session": 5 } as const;
const entryCode = { head: 1, session: 2, node: 3 } as const;
const lifetimes: readonly NodeLifetime[] = ["persistent", "ephemeral", "container", "ttl"];

/** The bytes of a record. */
export function encodeRecord(record: TransactionRecord): Uint8Array {
  const writer = new JuteWriter(256);
  writer.longNumber(record.zxid);
  writer.longNumber(record.time);
  writer.long(record.session);
  writer.vector(record.changes, writeChange);
  return writer.take();
}

/** The record of its bytes. */
export function decodeRecord(bytes: Uint8Array): Result<TransactionRecord, JuteError> {
  const reader = new JuteReader(bytes);
  const zxid = reader.longNumber("zxid");
  const time = reader.longNumber("time");
  const session = reader.long("session");
  return reader.finish({ zxid, time, session, changes: reader.vector("changes", 4, readChange) });
}

function writeChange(writer: JuteWriter, change: TreeChange): void {
  writer.int(changeCode[change.op]);
  switch (change.op) {
    case "create":
      writer.string(change.path);
      writer.buffer(change.data);
      writer.int(lifetimes.indexOf(change.lifetime));
      return writer.longNumber(change.ttlMs);
    case "set":
      writer.string(change.path);
      return writer.buffer(change.data);
    case "remove":
      return writer.string(change.path);
    case "open-session":
      writer.long(change.session);
      writer.int(change.timeoutMs);
      return writer.buffer(change.password);
    case "close-session":
      return writer.long(change.session);
  }
}

function readChange(reader: JuteReader): TreeChange {
  const code = reader.int("change");
  switch (code) {
    case changeCode.create:
      return { op: "create", path: reader.string("path"), data: readBytes(reader), ...readLifetime(reader) };
    case changeCode.set:
      return { op: "set", path: reader.string("path"), data: readBytes(reader) };
    case changeCode["open-session"]: {
      const session = reader.long("session");
      return { op: "open-session", session, timeoutMs: reader.int("timeoutMs"), password: readBytes(reader) };
    }
    case changeCode["close-session"]:
      return { op: "close-session", session: reader.long("session") };
    default:
      if (code !== changeCode.remove) reader.fail("change", `no change ${code}`);
      return { op: "remove", path: reader.string("path") };
  }
}

/** The bytes of a snapshot entry. */
export function encodeEntry(entry: SnapshotEntry): Uint8Array {
  const writer = new JuteWriter(256);
  writer.int(entryCode[entry.entry]);
  switch (entry.entry) {
    case "head":
      writer.longNumber(entry.zxid);
      writer.long(entry.nextSession);
      break;
    case "session":
      writer.long(entry.session);
      writer.int(entry.timeoutMs);
      writer.buffer(entry.password);
      break;
    case "node":
      writer.string(entry.path);
      writer.buffer(entry.data);
      writer.int(lifetimes.indexOf(entry.lifetime));
      writer.longNumber(entry.ttlMs);
      writer.long(entry.owner);
      for (const number of [entry.czxid, entry.mzxid, entry.pzxid, entry.ctime, entry.mtime]) writer.longNumber(number);
      writer.int(entry.version);
      writer.int(entry.creates);
      break;
  }
  return writer.take();
}

/** The snapshot entry of its bytes. */
export function decodeEntry(bytes: Uint8Array): Result<SnapshotEntry, JuteError> {
  const reader = new JuteReader(bytes);
  const code = reader.int("entry");
  if (code === entryCode.head) {
    return reader.finish({ entry: "head", zxid: reader.longNumber("zxid"), nextSession: reader.long("nextSession") });
  }
  if (code === entryCode.session) {
    const session = reader.long("session");
    return reader.finish({
      entry: "session",
      session,
      timeoutMs: reader.int("timeoutMs"),
      password: readBytes(reader),
    });
  }
  if (code !== entryCode.node) return err({ field: "entry", at: 0, why: `no entry ${code}` });
  const node = { path: reader.string("path"), data: readBytes(reader), ...readLifetime(reader) };
  const owner = reader.long("owner");
  const [czxid, mzxid, pzxid] = [reader.longNumber("czxid"), reader.longNumber("mzxid"), reader.longNumber("pzxid")];
  const [ctime, mtime] = [reader.longNumber("ctime"), reader.longNumber("mtime")];
  const [version, creates] = [reader.int("version"), reader.int("creates")];
  const stat = { czxid, mzxid, pzxid, ctime, mtime, version, creates };
  const read = reader.finish<SnapshotEntry>({ entry: "node", ...node, owner, ...stat });
  return read.ok ? ok(read.value) : read;
}

function readBytes(reader: JuteReader): Uint8Array {
  return reader.buffer("bytes") ?? new Uint8Array(0);
}

function readLifetime(reader: JuteReader): { readonly lifetime: NodeLifetime; readonly ttlMs: number } {
  const lifetime = lifetimes[reader.int("lifetime")];
  if (lifetime === undefined) reader.fail("lifetime", "not one of the four");
  return { lifetime: lifetime ?? "persistent", ttlMs: reader.longNumber("ttlMs") };
}
