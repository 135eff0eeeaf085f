import type { JuteReader, JuteWriter } from "./jute.ts";
import { zookeeperLimits } from "./limits.ts";
import { type MultiResult, opCode, type ReadOperation, type WriteOperation } from "./protocol.ts";
import { readStat, writeStat } from "./records.ts";
import { readCreate, readSetData, writeCreate, writeSetData } from "./write-operation.ts";

/** Writes the operations of a multi: a header in front of each, and one that says done. */
export function writeMultiOperations(writer: JuteWriter, operations: readonly WriteOperation[]): void {
  for (const operation of operations) {
    header(writer, opCode[operation.op], -1);
    writeOperation(writer, operation);
  }
  writeEnd(writer);
}

function writeOperation(writer: JuteWriter, operation: WriteOperation): void {
  switch (operation.op) {
    case "create":
    case "create2":
    case "createContainer":
    case "createTtl":
      return writeCreate(writer, operation);
    case "setData":
      return writeSetData(writer, operation);
    case "delete":
    case "check":
      writer.string(operation.path);
      return writer.int(operation.version);
  }
}

/** Reads the operations of a multi. */
export function readMultiOperations(reader: JuteReader): WriteOperation[] {
  return readEach(reader, (code) => {
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
      default:
        return undefined;
    }
  });
}

/** Writes the operations of a multiRead. */
export function writeMultiReads(writer: JuteWriter, operations: readonly ReadOperation[]): void {
  for (const operation of operations) {
    header(writer, opCode[operation.op], -1);
    writer.string(operation.path);
    writer.boolean(false);
  }
  writeEnd(writer);
}

/** Reads the operations of a multiRead. Their watch flag is ignored, as no client can set it. */
export function readMultiReads(reader: JuteReader): ReadOperation[] {
  return readEach(reader, (code) => {
    if (code !== opCode.getData && code !== opCode.getChildren) return undefined;
    const path = reader.string("path");
    reader.boolean("watch");
    return { op: code === opCode.getData ? "getData" : "getChildren", path };
  });
}

/** Writes the results of a multi or multiRead. */
export function writeMultiResults(writer: JuteWriter, results: readonly MultiResult[]): void {
  for (const result of results) {
    header(writer, resultCode(result), result.op === "error" ? result.code : 0);
    writeResult(writer, result);
  }
  writeEnd(writer);
}

function resultCode(result: MultiResult): number {
  return result.op === "create" && result.stat !== undefined ? opCode.create2 : opCode[result.op];
}

function writeResult(writer: JuteWriter, result: MultiResult): void {
  switch (result.op) {
    case "create":
      writer.string(result.path);
      if (result.stat !== undefined) writeStat(writer, result.stat);
      return;
    case "setData":
      return writeStat(writer, result.stat);
    case "getData":
      writer.buffer(result.data);
      return writeStat(writer, result.stat);
    case "getChildren":
      return writer.strings(result.names);
    case "error":
      return writer.int(result.code);
    case "delete":
    case "check":
      return;
  }
}

/** Reads the results of a multi or multiRead. */
export function readMultiResults(reader: JuteReader): MultiResult[] {
  return readEach(reader, (code) => {
    switch (code) {
      case opCode.create:
        return { op: "create", path: reader.string("path"), stat: undefined };
      case opCode.create2:
        return { op: "create", path: reader.string("path"), stat: readStat(reader) };
      case opCode.setData:
        return { op: "setData", stat: readStat(reader) };
      case opCode.delete:
        return { op: "delete" };
      case opCode.check:
        return { op: "check" };
      case opCode.getData:
        return { op: "getData", data: reader.buffer("data") ?? new Uint8Array(0), stat: readStat(reader) };
      case opCode.getChildren:
        return { op: "getChildren", names: reader.strings("children") };
      case opCode.error:
        return { op: "error", code: reader.int("err") };
      default:
        return undefined;
    }
  });
}

function header(writer: JuteWriter, type: number, error: number): void {
  writer.int(type);
  writer.boolean(false);
  writer.int(error);
}

function writeEnd(writer: JuteWriter): void {
  writer.int(-1);
  writer.boolean(true);
  writer.int(-1);
}

function readEach<T>(reader: JuteReader, read: (code: number) => T | undefined): T[] {
  const items: T[] = [];
  while (!reader.failed) {
    const code = reader.int("multi.type");
    const done = reader.boolean("multi.done");
    reader.int("multi.err");
    if (done || reader.failed) break;
    const item = read(code);
    if (item === undefined) reader.fail("multi.type", `operation ${code} cannot be in a multi`);
    else items.push(item);
    if (items.length > zookeeperLimits.multiOperations) reader.fail("multi", "too many operations");
  }
  return items;
}
