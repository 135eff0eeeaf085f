import { err, ok, type Result } from "../../base/result.ts";
import { pathFault } from "../data-tree-path.ts";
import type { PersistentNode } from "./persistent-part.ts";

/** Version of the format of backups. This release reads no other. */
export const backupFormat = 1;

/** What a backup says about itself, in its first line. */
export interface BackupHead {
  readonly weftBackup: number;
  /** Version of the layout of what is in it. */
  readonly layout: number;
  readonly root: string;
  /** Unix milliseconds by the clock of who took it; `takenAt` is the same for people. */
  readonly takenAtMs: number;
  readonly takenAt: string;
  readonly release: string;
  /** Term of the store, decimal; none in backups of earlier releases. */
  readonly term?: string;
  readonly nodes: number;
}

/** A backup that was read in full and found whole. */
export interface Backup {
  readonly head: BackupHead;
  readonly nodes: readonly PersistentNode[];
}

interface Line {
  readonly path: string;
  /** The content: as JSON when it is JSON in our writing, else as text, else in base64. None for an empty node. */
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
  readonly leases?: number;
}

/** The lines of a backup without the last, which carries the checksum of all before it. Each ends with a line feed. */
export function* backupLines(backup: Backup): Generator<string> {
  yield `${JSON.stringify(backup.head)}\n`;
  for (const node of backup.nodes) yield `${JSON.stringify(lineOf(node))}\n`;
}

/** The last line: number of nodes, and the checksum (SHA-256, hex) of everything before. */
export function backupEnd(nodes: number, sha256: string): string {
  return `${JSON.stringify({ end: true, nodes, sha256 })}\n`;
}

/**
 * Reads a backup. `checksum` is asked for the text before the last line. Whatever is wrong (cut off, altered, of a later format,
 * a line that is none) is one sentence, and nothing of it is used.
 */
export function readBackup(text: string, checksum: (text: string) => string): Result<Backup, string> {
  if (!text.endsWith("\n")) return err("the file is cut off: its last line does not end");
  const last = text.lastIndexOf("\n", text.length - 2) + 1;
  const [body, endLine] = [text.slice(0, last), text.slice(last)];
  const lines = body.split("\n").slice(0, -1);
  const head = parsed<Partial<BackupHead>>(lines[0] ?? "");
  if (head?.weftBackup === undefined) return err("this is no backup of a weft store");
  if (head.weftBackup !== backupFormat)
    return err(
      `the backup has format ${head.weftBackup}, this release reads ${backupFormat}: use the release that made it`,
    );
  const end = parsed<{ readonly end?: unknown; readonly nodes?: unknown; readonly sha256?: unknown }>(endLine);
  if (end?.end !== true) return err(`the file is cut off after ${lines.length} lines: the last line is missing`);
  if (end.sha256 !== checksum(body)) return err("the file is damaged: its checksum is not that of its content");
  if (!isHead(head)) return err("the first line does not say what is in it");
  const nodes: PersistentNode[] = [];
  for (const [i, line] of lines.slice(1).entries()) {
    const node = nodeOf(line);
    if (node === undefined) return err(`line ${i + 2} is no node`);
    nodes.push(node);
  }
  if (nodes.length !== head.nodes || end.nodes !== nodes.length)
    return err("the number of nodes is not what the file says");
  return ok({ head, nodes });
}

function isHead(head: Partial<BackupHead>): head is BackupHead {
  const numbers = [head.layout, head.takenAtMs, head.nodes];
  const isTerm = head.term === undefined || (typeof head.term === "string" && /^\d{1,18}$/.test(head.term));
  return isTerm && numbers.every((number) => Number.isInteger(number)) && typeof head.root === "string";
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

function lineOf({ path, data, leases }: PersistentNode): Line {
  const content = contentOf(data);
  return { path, ...content, ...(leases === undefined ? {} : { leases }) };
}

function contentOf(data: Uint8Array): Omit<Line, "path"> {
  if (data.length === 0) return {};
  let text: string;
  try {
    text = decoder.decode(data);
  } catch {
    return { base64: Buffer.from(data).toString("base64") };
  }
  // A byte order mark is lost in decoding.
  if (encoder.encode(text).length !== data.length) return { base64: Buffer.from(data).toString("base64") };
  const json = parsed(text);
  return json !== undefined && JSON.stringify(json) === text ? { json } : { text };
}

function nodeOf(line: string): PersistentNode | undefined {
  const found = parsed<Line>(line);
  if (found === undefined || typeof found.path !== "string") return undefined;
  if (pathFault(`/${found.path}`) !== undefined) return undefined;
  const { path, leases, json, text, base64 } = found;
  if (leases !== undefined && !(Number.isInteger(leases) && leases >= 0)) return undefined;
  const data =
    base64 !== undefined
      ? new Uint8Array(Buffer.from(String(base64), "base64"))
      : encoder.encode(json === undefined ? (text ?? "") : JSON.stringify(json));
  return { path, data, ...(leases === undefined ? {} : { leases }) };
}

function parsed<T extends object>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
