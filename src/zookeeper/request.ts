import type { Result } from "../base/result.ts";
import { type JuteError, JuteReader, type JuteWriter } from "./jute.ts";
import { readMultiOperations, readMultiReads, writeMultiOperations, writeMultiReads } from "./multi.ts";
import { opCode, type Request, type SetWatchesRequest } from "./protocol.ts";
import { readAcl, writeAcl } from "./records.ts";
import { readCreate, readSetData, writeCreate, writeSetData } from "./write-operation.ts";

/** A request with the number under which its reply comes. */
export interface RequestFrame {
  readonly xid: number;
  readonly request: Request;
}

/** Writes one request as a frame; answers the frame's length, which the caller holds against the limit. */
export function writeRequest(writer: JuteWriter, xid: number, request: Request): number {
  const start = writer.begin();
  writer.int(xid);
  writer.int(request.op === "unknown" ? request.code : opCode[request.op]);
  writeBody(writer, request);
  return writer.end(start);
}

function writeBody(writer: JuteWriter, request: Request): void {
  switch (request.op) {
    case "create":
    case "create2":
    case "createContainer":
    case "createTtl":
      return writeCreate(writer, request);
    case "setData":
      return writeSetData(writer, request);
    case "delete":
    case "check":
      return pathAndInt(writer, request.path, request.version);
    case "exists":
    case "getData":
    case "getChildren":
    case "getChildren2":
      writer.string(request.path);
      return writer.boolean(request.watch);
    case "getAcl":
    case "sync":
    case "getEphemerals":
    case "getAllChildrenNumber":
      return writer.string(request.path);
    case "setAcl":
      writer.string(request.path);
      writeAcl(writer, request.acl);
      return writer.int(request.version);
    case "auth":
      writer.int(0);
      writer.string(request.scheme);
      return writer.buffer(request.auth);
    case "multi":
      return writeMultiOperations(writer, request.operations);
    case "multiRead":
      return writeMultiReads(writer, request.operations);
    case "addWatch":
      return pathAndInt(writer, request.path, request.mode);
    case "checkWatches":
    case "removeWatches":
      return pathAndInt(writer, request.path, request.type);
    case "setWatches":
    case "setWatches2":
      return writeSetWatches(writer, request);
    case "ping":
    case "closeSession":
    case "whoAmI":
    case "unknown":
      return;
  }
}

function pathAndInt(writer: JuteWriter, path: string, value: number): void {
  writer.string(path);
  writer.int(value);
}

function writeSetWatches(writer: JuteWriter, request: SetWatchesRequest): void {
  writer.long(request.relativeZxid);
  writer.strings(request.data);
  writer.strings(request.exist);
  writer.strings(request.child);
  if (request.op === "setWatches") return;
  writer.strings(request.persistent);
  writer.strings(request.recursive);
}

/** Reads one request. An operation that we do not know is a value (`unknown`), not a malformed frame. */
export function readRequest(frame: Uint8Array): Result<RequestFrame, JuteError> {
  const reader = new JuteReader(frame);
  const xid = reader.int("xid");
  const code = reader.int("type");
  const request = readBody(reader, code);
  if (request.op === "unknown" && !reader.failed) return { ok: true, value: { xid, request } };
  return reader.finish({ xid, request });
}

function readBody(reader: JuteReader, code: number): Request {
  switch (code) {
    case opCode.create:
    case opCode.create2:
    case opCode.createContainer:
    case opCode.createTtl:
      return readCreate(reader, code);
    case opCode.setData:
      return readSetData(reader);
    case opCode.delete:
      return { op: "delete", path: reader.string("path"), version: reader.int("version") };
    case opCode.check:
      return { op: "check", path: reader.string("path"), version: reader.int("version") };
    case opCode.exists:
      return { op: "exists", path: reader.string("path"), watch: reader.boolean("watch") };
    case opCode.getData:
      return { op: "getData", path: reader.string("path"), watch: reader.boolean("watch") };
    case opCode.getChildren:
      return { op: "getChildren", path: reader.string("path"), watch: reader.boolean("watch") };
    case opCode.getChildren2:
      return { op: "getChildren2", path: reader.string("path"), watch: reader.boolean("watch") };
    case opCode.multi:
      return { op: "multi", operations: readMultiOperations(reader) };
    case opCode.multiRead:
      return { op: "multiRead", operations: readMultiReads(reader) };
    case opCode.ping:
      return { op: "ping" };
    case opCode.closeSession:
      return { op: "closeSession" };
    case opCode.whoAmI:
      return { op: "whoAmI" };
    default:
      return readRareBody(reader, code);
  }
}

function readRareBody(reader: JuteReader, code: number): Request {
  switch (code) {
    case opCode.getAcl:
      return { op: "getAcl", path: reader.string("path") };
    case opCode.sync:
      return { op: "sync", path: reader.string("path") };
    case opCode.getEphemerals:
      return { op: "getEphemerals", path: reader.string("prefixPath") };
    case opCode.getAllChildrenNumber:
      return { op: "getAllChildrenNumber", path: reader.string("path") };
    case opCode.setAcl:
      return { op: "setAcl", path: reader.string("path"), acl: readAcl(reader), version: reader.int("version") };
    case opCode.auth:
      reader.int("type");
      return { op: "auth", scheme: reader.string("scheme"), auth: reader.buffer("auth") ?? new Uint8Array(0) };
    case opCode.addWatch:
      return { op: "addWatch", path: reader.string("path"), mode: reader.int("mode") };
    case opCode.checkWatches:
      return { op: "checkWatches", path: reader.string("path"), type: reader.int("type") };
    case opCode.removeWatches:
      return { op: "removeWatches", path: reader.string("path"), type: reader.int("type") };
    case opCode.setWatches:
      return readSetWatches(reader, "setWatches");
    case opCode.setWatches2:
      return readSetWatches(reader, "setWatches2");
    default:
      return { op: "unknown", code };
  }
}

function readSetWatches(reader: JuteReader, op: SetWatchesRequest["op"]): SetWatchesRequest {
  const relativeZxid = reader.long("relativeZxid");
  const data = reader.strings("dataWatches");
  const exist = reader.strings("existWatches");
  const child = reader.strings("childWatches");
  if (op === "setWatches") return { op, relativeZxid, data, exist, child, persistent: [], recursive: [] };
  const persistent = reader.strings("persistentWatches");
  const recursive = reader.strings("persistentRecursiveWatches");
  return { op, relativeZxid, data, exist, child, persistent, recursive };
}
