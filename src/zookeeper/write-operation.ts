import type { JuteReader, JuteWriter } from "./jute.ts";
import { type CreateRequest, opCode, type SetDataRequest } from "./protocol.ts";
import { readAcl, writeAcl } from "./records.ts";

const noBytes = new Uint8Array(0);

/** Writes the body of any create. */
export function writeCreate(writer: JuteWriter, request: CreateRequest): void {
  writer.string(request.path);
  writer.buffer(request.data);
  writeAcl(writer, request.acl);
  writer.int(request.flags);
  if (request.op === "createTtl") writer.longNumber(request.ttlMs);
}

/** Reads the body of the create that `code` names. Absent data is empty data. */
export function readCreate(reader: JuteReader, code: number): CreateRequest {
  const path = reader.string("path");
  const data = reader.buffer("data") ?? noBytes;
  const acl = readAcl(reader);
  const flags = reader.int("flags");
  const ttlMs = code === opCode.createTtl ? reader.longNumber("ttl") : -1;
  return { op: createName(code), path, data, acl, flags, ttlMs };
}

function createName(code: number): CreateRequest["op"] {
  if (code === opCode.create) return "create";
  if (code === opCode.create2) return "create2";
  return code === opCode.createTtl ? "createTtl" : "createContainer";
}

/** Writes the body of a setData. */
export function writeSetData(writer: JuteWriter, request: SetDataRequest): void {
  writer.string(request.path);
  writer.buffer(request.data);
  writer.int(request.version);
}

/** Reads the body of a setData. */
export function readSetData(reader: JuteReader): SetDataRequest {
  const path = reader.string("path");
  return { op: "setData", path, data: reader.buffer("data") ?? noBytes, version: reader.int("version") };
}
