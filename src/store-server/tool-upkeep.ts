import { err, ok, type Result } from "../base/result.ts";
import { checkStore, repairStore } from "../store/upkeep/check.ts";
import { FINDINGS, type Finding, type FindingKind, harmlessFindings } from "../store/upkeep/finding.ts";
import { migrateStore } from "../store/upkeep/migration.ts";
import { counted, storeSentence } from "./tool-text.ts";
import { backupVerb, refuse, type Tool, type ToolStore } from "./tool-transfer.ts";

/** Most paths printed for one kind of finding. */
const pathsPerKind = 10;

/** `weft store check`: 0 for a sound store, 1 when something is wrong. Leftovers alone are nothing wrong. */
export async function checkVerb(
  tool: Tool,
  { connection, layout }: ToolStore,
  how: { readonly isRepair: boolean; readonly isJson: boolean },
): Promise<number> {
  const outcome = how.isRepair ? await repairStore(connection, layout) : await checkStore(connection, layout);
  if (!outcome.ok) return refuse(tool, storeSentence(outcome.error));
  const { repaired, left } = "left" in outcome.value ? outcome.value : { repaired: [], left: outcome.value };
  if (how.isJson) {
    tool.print(JSON.stringify({ repaired: repaired.map(plain), findings: left.map(plain) }, undefined, 2));
  } else {
    for (const line of [...lines("repaired", repaired), ...lines("found", left)]) tool.print(line);
    if (left.length === 0) tool.print("nothing is wrong");
  }
  return left.every(({ kind }) => harmlessFindings.has(kind)) ? 0 : 1;
}

function plain({ kind, path, detail, repair }: Finding) {
  return { kind, path, detail, remedy: FINDINGS[kind].remedy, isRepairable: repair !== undefined };
}

function lines(verb: string, findings: readonly Finding[]): readonly string[] {
  return [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, group]: readonly [FindingKind, Finding[]]) => {
    const { meaning, remedy } = FINDINGS[kind];
    const paths = group
      .slice(0, pathsPerKind)
      .map(({ path, detail }) => `  ${path}${detail === "" ? "" : `  (${detail})`}`);
    const more = group.length > pathsPerKind ? [`  and ${group.length - pathsPerKind} more`] : [];
    const remedies = verb === "found" ? [`  what to do: ${remedy}`] : [];
    return [`${verb} ${kind}: ${counted(group.length, "node")}; ${meaning}`, ...paths, ...more, ...remedies];
  });
}

/** `weft store migrate`: a backup first, then step by step. */
export async function migrateVerb(
  tool: Tool,
  store: ToolStore,
  how: { readonly backup: string | undefined; readonly isDry: boolean },
): Promise<number> {
  const { connection, layout } = store;
  const plan = await migrateStore(connection, layout, { isDry: true });
  if (!plan.ok) return refuse(tool, storeSentence(plan.error));
  const { from, to, steps } = plan.value;
  if (from === to) {
    tool.print(`the store has layout ${to}, that of this release: nothing to do`);
    return 0;
  }
  for (const { what, writes } of steps)
    tool.print(`layout ${from} to ${to}: ${what} (about ${counted(writes, "write")})`);
  if (how.isDry) return 0;
  const ready = await backedUp(tool, store, how.backup);
  if (!ready.ok) return refuse(tool, ready.error);
  const done = await migrateStore(connection, layout);
  if (!done.ok) return refuse(tool, storeSentence(done.error));
  tool.print(`the store has layout ${to}`);
  return 0;
}

/** A migration that was interrupted has its backup; another would be of half a layout. */
async function backedUp(tool: Tool, store: ToolStore, file: string | undefined): Promise<Result<void, string>> {
  const found = await store.connection.tree.get(store.layout.version);
  const isUnderWay = found.ok && new TextDecoder().decode(found.value.data).includes("migratingTo");
  if (isUnderWay) return ok(undefined);
  if (file === undefined) return err("give --backup FILE: there is no way back without one");
  const code = await backupVerb(tool, store, { file, mayReplace: false });
  return code === 0 ? ok(undefined) : err("no backup, no migration");
}
