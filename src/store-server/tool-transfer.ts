import type { Scheduler } from "../base/scheduler.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { Layout } from "../store/recipes/layout.ts";
import {
  backupOf,
  copyStore,
  type FillPreview,
  type Progress,
  previewFill,
  restoreBackup,
  takeSnapshot,
} from "../store/upkeep/backup.ts";
import type { Backup } from "../store/upkeep/backup-text.ts";
import { readBackupFile, writeBackupFile } from "./backup-file.ts";
import { closeToStrangers } from "./tool-secure.ts";
import { counted, pathLines, storeSentence } from "./tool-text.ts";

/** What the verbs of `weft store` work with. */
export interface Tool {
  readonly scheduler: Scheduler;
  readonly release: string;
  /** A line of the answer. */
  print(line: string): void;
  /** A line about the work. */
  note(line: string): void;
}

/** One store, and where our nodes are in it. */
export interface ToolStore {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  /** What is brought into it belongs to our secret alone. */
  readonly isPrivate: boolean;
}

/** Time between two lines of progress, in milliseconds. */
const progressMs = 2_000;

/** Progress as a line every other second. */
function progressOf({ scheduler, note }: Tool): Progress {
  let next = scheduler.clock.now() + progressMs;
  return (what, done, of) => {
    const now = scheduler.clock.now();
    if (now < next) return;
    next = now + progressMs;
    note(of === undefined ? `${what} ${counted(done, "node")}` : `${what} ${done} of ${of}`);
  };
}

/** `weft store backup FILE`. Values of verbs are exit codes: 0 for done, 1 for refused. */
export async function backupVerb(
  tool: Tool,
  { connection, layout }: ToolStore,
  { file, mayReplace }: { readonly file: string; readonly mayReplace: boolean },
): Promise<number> {
  const taken = await takeSnapshot(connection, layout, progressOf(tool));
  if (!taken.ok) return refuse(tool, storeSentence(taken.error));
  const takenAtMs = Math.floor(tool.scheduler.clock.wall());
  const backup = backupOf(taken.value, { root: layout.root, release: tool.release, takenAtMs });
  const written = writeBackupFile(file, backup, { mayReplace });
  if (!written.ok) return refuse(tool, written.error);
  tool.print(
    `${file}: ${counted(backup.nodes.length, "node")} of layout ${backup.head.layout}, ${written.value} bytes`,
  );
  return 0;
}

/** `weft store restore FILE`. */
export async function restoreVerb(
  tool: Tool,
  store: ToolStore,
  how: { readonly file: string; readonly mayReplace: boolean; readonly isDry: boolean },
): Promise<number> {
  const read = readBackupFile(how.file);
  if (!read.ok) return refuse(tool, `${read.error}; nothing was written`);
  const backup = read.value;
  const { connection, layout } = store;
  if (backup.head.layout > layout.written) {
    const supported = layout.written;
    return refuse(tool, storeSentence({ kind: "layout-newer", found: backup.head.layout, supported }));
  }
  const preview = await previewFill(connection, layout, backup.nodes);
  if (!preview.ok) return refuse(tool, storeSentence(preview.error));
  if (how.isDry) return showPreview(tool, backup, preview.value);
  const { plan, hasLayout } = preview.value;
  if (hasLayout && plan.groups.length === 0) {
    tool.print(`the store is what the backup of ${backup.head.takenAt} says: nothing was written`);
    return secure(tool, store);
  }
  const loses = plan.changed.length + plan.removed.length;
  if (hasLayout && loses > 0 && !how.mayReplace) {
    const what = `${counted(plan.changed.length, "node")} would change and ${plan.removed.length} would go`;
    return refuse(tool, `${layout.root} is in use: ${what}. See --dry-run; --replace does it`);
  }
  const restored = await restoreBackup(connection, layout, { backup, onProgress: progressOf(tool) });
  if (!restored.ok) return refuse(tool, storeSentence(restored.error));
  const { created, changed, removed, left } = restored.value;
  tool.print(
    `restored the backup of ${backup.head.takenAt}: ${created} created, ${changed} changed, ${removed} removed`,
  );
  noteLeft(tool, left);
  if (backup.head.layout < layout.written) tool.print("its layout is older: run weft store migrate next");
  return secure(tool, store);
}

/** What was there before has the access list that it was made with. The value is the exit code. */
async function secure(tool: Tool, store: ToolStore): Promise<number> {
  if (!store.isPrivate) return 0;
  const closed = await closeToStrangers(store);
  if (!closed.ok) return refuse(tool, `the content is there, but not all is closed: ${storeSentence(closed.error)}`);
  if (closed.value > 0) tool.print(`closed to whoever lacks the secret: ${counted(closed.value, "node")}`);
  return 0;
}

function showPreview(tool: Tool, { head }: Backup, { plan, hasLayout, incomplete }: FillPreview): number {
  const state = hasLayout ? "in use" : incomplete === undefined ? "empty" : `incomplete (${incomplete})`;
  tool.print(
    `backup of ${head.takenAt}, ${counted(head.nodes, "node")} of layout ${head.layout}; the store is ${state}`,
  );
  const lines = [...pathLines("+", plan.created), ...pathLines("~", plan.changed), ...pathLines("-", plan.removed)];
  for (const line of lines) tool.print(line);
  const { created, changed, removed } = plan;
  tool.print(`would create ${created.length}, change ${changed.length}, remove ${removed.length}; nothing was written`);
  noteLeft(tool, plan.left);
  return 0;
}

/** `weft store copy FROM TO`. */
export async function copyVerb(
  tool: Tool,
  ends: { readonly from: ToolStore; readonly to: ToolStore; readonly source: string },
  { mayReplace }: { readonly mayReplace: boolean },
): Promise<number> {
  const { from, to, source } = ends;
  const preview = await previewFill(to.connection, to.layout, []);
  if (!preview.ok) return refuse(tool, `target: ${storeSentence(preview.error)}`);
  const { plan, hasLayout, incomplete } = preview.value;
  const isOurs = incomplete === `copy of ${source}`;
  if ((hasLayout || plan.removed.length > 0) && !isOurs && !mayReplace) {
    const what = incomplete ?? counted(plan.removed.length, "node");
    return refuse(tool, `the target is not empty (${to.layout.root}: ${what}): --replace makes it equal to the source`);
  }
  if (isOurs) tool.note("going on with the copy that did not end");
  const copied = await copyStore({ from, to, source, onProgress: progressOf(tool) });
  if (!copied.ok) return refuse(tool, storeSentence(copied.error));
  const { nodes, repeats, left } = copied.value;
  const again = repeats === 0 ? "" : `, what was written meanwhile in ${counted(repeats, "round")} more`;
  tool.print(`copied ${counted(nodes, "node")}${again}; read back and equal`);
  noteLeft(tool, left);
  tool.print("the source is as it was: what is written to it from now on is not in the target");
  return secure(tool, to);
}

function noteLeft(tool: Tool, left: readonly string[]): void {
  if (left.length === 0) return;
  tool.note(`${counted(left.length, "node")} not in the backup stay, because live sessions hold nodes below:`);
  for (const line of pathLines("=", left)) tool.note(line);
}

/** Says why not; the exit code is that of a refusal. */
export function refuse(tool: Tool, sentence: string): number {
  tool.note(sentence);
  return 1;
}
