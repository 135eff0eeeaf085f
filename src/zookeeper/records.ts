import type { NodeStat } from "../store/tree.ts";
import type { JuteReader, JuteWriter } from "./jute.ts";
import type { Acl } from "./protocol.ts";

/** Reads a Stat. */
export function readStat(reader: JuteReader): NodeStat {
  const czxid = reader.long("czxid");
  const mzxid = reader.long("mzxid");
  const ctime = reader.longNumber("ctime");
  const mtime = reader.longNumber("mtime");
  const version = reader.int("version");
  const cversion = reader.int("cversion");
  const aversion = reader.int("aversion");
  const ephemeralOwner = reader.long("ephemeralOwner");
  const dataLength = reader.int("dataLength");
  const childCount = reader.int("numChildren");
  const pzxid = reader.long("pzxid");
  const times = { czxid, mzxid, pzxid, ctime, mtime };
  return { ...times, version, cversion, aversion, ephemeralOwner, dataLength, childCount };
}

/** Writes a Stat. */
export function writeStat(writer: JuteWriter, stat: NodeStat): void {
  writer.long(stat.czxid);
  writer.long(stat.mzxid);
  writer.longNumber(stat.ctime);
  writer.longNumber(stat.mtime);
  writer.int(stat.version);
  writer.int(stat.cversion);
  writer.int(stat.aversion);
  writer.long(stat.ephemeralOwner);
  writer.int(stat.dataLength);
  writer.int(stat.childCount);
  writer.long(stat.pzxid);
}

/** Reads an access list. */
export function readAcl(reader: JuteReader): Acl[] {
  return reader.vector("acl", 12, () => ({
    permissions: reader.int("perms"),
    scheme: reader.string("scheme"),
    id: reader.string("id"),
  }));
}

/** Writes an access list. */
export function writeAcl(writer: JuteWriter, acl: readonly Acl[]): void {
  writer.vector(acl, (to, entry) => {
    to.int(entry.permissions);
    to.string(entry.scheme);
    to.string(entry.id);
  });
}
