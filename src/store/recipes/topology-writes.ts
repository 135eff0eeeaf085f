import { encodeObject } from "../../model/encoding.ts";
import type { Id, TopologyObject } from "../../model/objects.ts";
import { referencesTo } from "../../model/references.ts";
import type { TreeOperation } from "../tree.ts";
import { deletionCounterOf } from "./deletion-counts.ts";
import type { Layout } from "./layout.ts";
import { nameOfObject, referrerNodes, type TopologyDraft } from "./topology-draft.ts";

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

/**
 * The multi that turns what was read into what a draft says, in an order in which every step is allowed: names and referrer
 * nodes go first, then documents, then new names and referrer nodes. Everything that was read and stays is checked, so that the
 * multi fails when anything that the draft was based on has changed.
 */
export function writesOf(draft: TopologyDraft, layout: Layout): readonly TreeOperation[] {
  const changed = [...draft.objects.values()].map(({ kind, id, after }) => {
    const document = draft.read.document(kind, id);
    return { kind, id, document, before: document.found === "object" ? document.object : undefined, after };
  });
  const first: TreeOperation[] = [];
  const documents: TreeOperation[] = [];
  const written = new Set<string>();
  for (const { kind, id, document, before, after } of changed) {
    const path = layout.object(kind, id);
    if (after === undefined && document.found !== "nothing") {
      documents.push({ op: "remove", path, version: document.version });
    } else if (after !== undefined && document.found === "nothing") {
      documents.push({ op: "create", path, data: encoder.encode(encodeObject(after)) });
    } else if (after !== undefined && document.found === "object") {
      const text = encodeObject(after);
      if (before !== undefined && text === encodeObject(before)) continue;
      documents.push({ op: "set", path, data: encoder.encode(text), version: document.version });
    }
    written.add(`${kind}/${id}`);
  }
  const nodes = referrerChanges(changed, draft, layout);
  const names = nameChanges(changed, layout);
  first.push(...nodes.gone, ...names.gone);
  const writes = [...first, ...documents, ...nodes.made, ...names.made];
  // Removed documents must be empty and the new must exist: removals of parents come after those of their referrer nodes.
  if (writes.length === 0) return [];
  return [...checksOf(draft, layout, written), ...deletionCounts(draft, layout), ...writes];
}

interface ChangedObject {
  readonly kind: TopologyObject["kind"];
  readonly id: Id;
  readonly before: TopologyObject | undefined;
  readonly after: TopologyObject | undefined;
}

interface NodeChanges {
  readonly gone: readonly TreeOperation[];
  readonly made: readonly TreeOperation[];
}

function checksOf(draft: TopologyDraft, layout: Layout, written: ReadonlySet<string>): readonly TreeOperation[] {
  const checks: TreeOperation[] = [];
  for (const { kind, id, document } of draft.read.documents()) {
    if (document.found === "nothing" || written.has(`${kind}/${id}`)) continue;
    checks.push({ op: "check", path: layout.object(kind, id), version: document.version });
  }
  return checks;
}

/** Counters that a draft raises: those of the documents that it deletes. */
export function raisedCounters(draft: TopologyDraft): ReadonlySet<number> {
  const raised = new Set<number>();
  for (const { kind, id, after } of draft.objects.values()) {
    if (after === undefined) raised.add(deletionCounterOf(kind, id));
  }
  return raised;
}

function deletionCounts(draft: TopologyDraft, layout: Layout): readonly TreeOperation[] {
  const raised = raisedCounters(draft);
  const checked = new Set<number>(raised);
  for (const { kind, id, document } of draft.read.documents()) {
    if (document.found !== "nothing") checked.add(deletionCounterOf(kind, id));
  }
  return [...checked].map((counter) => {
    const [path, version] = [layout.deletions(counter), draft.read.deletions.get(counter) ?? 0];
    return raised.has(counter) ? { op: "set", path, data: noBytes, version } : { op: "check", path, version };
  });
}

function referrerChanges(changed: readonly ChangedObject[], draft: TopologyDraft, layout: Layout): NodeChanges {
  const before = new Set<string>();
  const after = new Set<string>();
  for (const object of changed) {
    for (const { kind, id, name } of referrerNodes(object.before)) before.add(`${layout.object(kind, id)}/${name}`);
    for (const { kind, id, name } of referrerNodes(object.after)) after.add(`${layout.object(kind, id)}/${name}`);
    if (object.after === undefined && hasReferrerNodes(object.kind)) {
      const path = layout.object(object.kind, object.id);
      for (const name of draft.read.referrers(object.kind, object.id)) before.add(`${path}/${name}`);
    }
  }
  return {
    gone: [...before].filter((path) => !after.has(path)).map((path) => ({ op: "remove", path })),
    made: [...after].filter((path) => !before.has(path)).map((path) => ({ op: "create", path, data: noBytes })),
  };
}

function hasReferrerNodes(kind: TopologyObject["kind"]): boolean {
  return referencesTo(kind).some((row) => row.backField === undefined && row.isSymmetric === undefined);
}

function nameChanges(changed: readonly ChangedObject[], layout: Layout): NodeChanges {
  const before = new Map<string, Id>();
  const after = new Map<string, Id>();
  for (const object of changed) {
    const [old, now] = [object.before, object.after].map((side) => side && nameOfObject(side));
    if (old !== undefined) before.set(layout.name(old), object.id);
    if (now !== undefined) after.set(layout.name(now), object.id);
  }
  const gone: TreeOperation[] = [];
  const made: TreeOperation[] = [];
  for (const path of before.keys()) if (!after.has(path)) gone.push({ op: "remove", path });
  for (const [path, id] of after) {
    const holder = before.get(path);
    if (holder === undefined) made.push({ op: "create", path, data: encoder.encode(id) });
    else if (holder !== id) made.push({ op: "set", path, data: encoder.encode(id) });
  }
  return { gone, made };
}
