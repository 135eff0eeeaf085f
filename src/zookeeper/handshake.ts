import type { Result } from "../base/result.ts";
import { type JuteError, JuteReader, type JuteWriter } from "./jute.ts";
import type { ConnectRequest, ConnectResponse } from "./protocol.ts";

const protocolVersion = 0;
const noBytes = new Uint8Array(0);

/** Writes the first frame of a client. */
export function writeConnectRequest(writer: JuteWriter, request: ConnectRequest): void {
  const start = writer.begin();
  writer.int(protocolVersion);
  writer.long(request.lastZxid);
  writer.int(request.timeoutMs);
  writer.long(request.sessionId);
  writer.buffer(request.password);
  if (request.readOnly !== undefined) writer.boolean(request.readOnly);
  writer.end(start);
}

/** Reads the first frame of a client. */
export function readConnectRequest(frame: Uint8Array): Result<ConnectRequest, JuteError> {
  const reader = new JuteReader(frame);
  version(reader);
  const lastZxid = reader.long("lastZxidSeen");
  const timeoutMs = reader.int("timeOut");
  const sessionId = reader.long("sessionId");
  const password = reader.buffer("passwd") ?? noBytes;
  return reader.finish({ lastZxid, timeoutMs, sessionId, password, readOnly: readOnly(reader) });
}

/** Writes the first frame of a server. */
export function writeConnectResponse(writer: JuteWriter, response: ConnectResponse): void {
  const start = writer.begin();
  writer.int(protocolVersion);
  writer.int(response.timeoutMs);
  writer.long(response.sessionId);
  writer.buffer(response.password);
  if (response.readOnly !== undefined) writer.boolean(response.readOnly);
  writer.end(start);
}

/** Reads the first frame of a server. */
export function readConnectResponse(frame: Uint8Array): Result<ConnectResponse, JuteError> {
  const reader = new JuteReader(frame);
  version(reader);
  const timeoutMs = reader.int("timeOut");
  const sessionId = reader.long("sessionId");
  const password = reader.buffer("passwd") ?? noBytes;
  return reader.finish({ timeoutMs, sessionId, password, readOnly: readOnly(reader) });
}

function version(reader: JuteReader): void {
  const value = reader.int("protocolVersion");
  if (value !== protocolVersion) reader.fail("protocolVersion", `${value}, not ${protocolVersion}`);
}

/** Clients and servers before 3.4 leave the byte out. */
function readOnly(reader: JuteReader): boolean | undefined {
  return reader.failed || reader.left === 0 ? undefined : reader.boolean("readOnly");
}
