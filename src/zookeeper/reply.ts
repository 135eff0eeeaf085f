import type { Result } from "../base/result.ts";
import { type JuteError, JuteReader, type JuteWriter } from "./jute.ts";
import { readMultiResults, writeMultiResults } from "./multi.ts";
import {
  type Notification,
  type Reply,
  type ReplyHeader,
  type Request,
  specialXid,
  syncConnected,
} from "./protocol.ts";
import { readAcl, readStat, writeAcl, writeStat } from "./records.ts";

const noReply: Reply = { op: "none" };
/** Bytes of a reply header. */
const headerBytes = 16;

/** Writes a reply as a frame. A failed one has no body. */
export function writeReply(writer: JuteWriter, header: ReplyHeader, reply: Reply = noReply): number {
  const start = writer.begin();
  writeHeader(writer, header);
  if (header.error === 0) writeReplyBody(writer, reply);
  return writer.end(start);
}

/** Writes a watch event as a frame. `zxid` is that of the change, as Apache sends since 3.9. */
export function writeNotification(writer: JuteWriter, zxid: bigint, event: Notification): void {
  const start = writer.begin();
  writeHeader(writer, { xid: specialXid.notification, zxid, error: 0 });
  writer.int(event.type);
  writer.int(syncConnected);
  writer.string(event.path);
  writer.end(start);
}

function writeHeader(writer: JuteWriter, header: ReplyHeader): void {
  writer.int(header.xid);
  writer.long(header.zxid);
  writer.int(header.error);
}

function writeReplyBody(writer: JuteWriter, reply: Reply): void {
  switch (reply.op) {
    case "none":
      return;
    case "create":
      writer.string(reply.path);
      if (reply.stat !== undefined) writeStat(writer, reply.stat);
      return;
    case "stat":
      return writeStat(writer, reply.stat);
    case "getData":
      writer.buffer(reply.data);
      return writeStat(writer, reply.stat);
    case "children":
      writer.strings(reply.names);
      if (reply.stat !== undefined) writeStat(writer, reply.stat);
      return;
    case "acl":
      writeAcl(writer, reply.acl);
      return writeStat(writer, reply.stat);
    case "path":
      return writer.string(reply.path);
    case "paths":
      return writer.strings(reply.paths);
    case "count":
      return writer.int(reply.count);
    case "multi":
      return writeMultiResults(writer, reply.results);
    case "identities":
      return writer.vector(reply.identities, (to, identity) => {
        to.string(identity.scheme);
        to.string(identity.user);
      });
  }
}

/** Reads the header of whatever a server sends after its connect response. */
export function readReplyHeader(frame: Uint8Array): Result<ReplyHeader, JuteError> {
  const reader = new JuteReader(frame.length > headerBytes ? frame.subarray(0, headerBytes) : frame);
  return reader.finish({ xid: reader.int("xid"), zxid: reader.long("zxid"), error: reader.int("err") });
}

/** Reads a watch event from a frame whose header says that it is one. */
export function readNotification(frame: Uint8Array): Result<Notification, JuteError> {
  const reader = new JuteReader(frame, headerBytes);
  const type = reader.int("event.type");
  reader.int("event.state");
  return reader.finish({ type, path: reader.string("event.path") });
}

/** Reads the body of a successful reply to `op`. */
export function readReply(frame: Uint8Array, op: Request["op"]): Result<Reply, JuteError> {
  const reader = new JuteReader(frame, headerBytes);
  return reader.finish(readReplyBody(reader, op));
}

function readReplyBody(reader: JuteReader, op: Request["op"]): Reply {
  switch (op) {
    case "create":
      return { op: "create", path: reader.string("path"), stat: undefined };
    case "create2":
    case "createContainer":
    case "createTtl":
      return { op: "create", path: reader.string("path"), stat: readStat(reader) };
    case "exists":
    case "setData":
    case "setAcl":
    case "check":
      return { op: "stat", stat: readStat(reader) };
    case "getData":
      return { op: "getData", data: reader.buffer("data") ?? new Uint8Array(0), stat: readStat(reader) };
    case "getChildren":
      return { op: "children", names: reader.strings("children"), stat: undefined };
    case "getChildren2":
      return { op: "children", names: reader.strings("children"), stat: readStat(reader) };
    case "getAcl":
      return { op: "acl", acl: readAcl(reader), stat: readStat(reader) };
    case "sync":
      return { op: "path", path: reader.string("path") };
    case "getEphemerals":
      return { op: "paths", paths: reader.strings("ephemerals") };
    case "getAllChildrenNumber":
      return { op: "count", count: reader.int("totalNumber") };
    case "addWatch":
      return { op: "count", count: reader.int("err") };
    case "multi":
    case "multiRead":
      return { op: "multi", results: readMultiResults(reader) };
    case "whoAmI":
      return { op: "identities", identities: readIdentities(reader) };
    case "delete":
    case "ping":
    case "closeSession":
    case "auth":
    case "checkWatches":
    case "removeWatches":
    case "setWatches":
    case "setWatches2":
    case "unknown":
      return noReply;
  }
}

function readIdentities(reader: JuteReader): { scheme: string; user: string }[] {
  return reader.vector("clientInfo", 8, () => ({ scheme: reader.string("authScheme"), user: reader.string("user") }));
}
