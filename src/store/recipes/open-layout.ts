import { err, ok, type Result } from "../../base/result.ts";
import type { Kind } from "../../model/objects.ts";
import { parentOf } from "../data-tree-path.ts";
import type { StoreConnection } from "./connection.ts";
import { deletionCountersMax } from "./deletion-counts.ts";
import { type Layout, layoutVersion } from "./layout.ts";
import { steadily, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

const noBytes = new Uint8Array(0);

/** Makes sure that the layout in the store is one that this release knows, and that its folders exist. */
export async function openLayout(
  connection: StoreConnection,
  layout: Layout,
  kinds: readonly Kind[],
): Promise<Result<void, StoreError>> {
  const rooted = await makeFolders(connection, [layout.root]);
  if (!rooted.ok) return rooted;
  const version = await readVersion(connection, layout);
  if (!version.ok) return version;
  if (version.value > layoutVersion) {
    return err({ kind: "layout-newer", found: version.value, supported: layoutVersion });
  }
  const folders = kinds.flatMap((kind) => [layout.kind(kind), layout.names(kind)]);
  const counters = Array.from({ length: deletionCountersMax }, (_, counter) => layout.deletions(counter));
  return makeFolders(connection, [layout.transactions, ...folders, ...counters]);
}

/** Creates the paths and everything above them, where they do not exist. */
export async function makeFolders(
  connection: StoreConnection,
  paths: readonly string[],
): Promise<Result<void, StoreError>> {
  const all = [...new Set(paths.flatMap(withParents))];
  // Mostly everything is there: reads are cheaper than refused writes.
  const present = await Promise.all(all.map((path) => steadily(connection, (tree) => tree.exists(path))));
  const absent = all.filter((_, i) => present[i]?.ok !== true || present[i].value === undefined);
  const byDepth = absent.sort((a, b) => a.split("/").length - b.split("/").length);
  const made = await Promise.all(
    byDepth.map((path) => steadily(connection, (tree) => tree.create(path, noBytes, { mode: "persistent" }))),
  );
  for (const result of made) {
    if (!result.ok && result.error.kind !== "node-exists") return err(storeError(result.error));
  }
  return ok(undefined);
}

async function readVersion(connection: StoreConnection, layout: Layout): Promise<Result<number, StoreError>> {
  const text = JSON.stringify({ layout: layoutVersion });
  const written = await steadily(connection, (tree) => tree.create(layout.version, new TextEncoder().encode(text)));
  if (written.ok) return ok(layoutVersion);
  if (written.error.kind !== "node-exists") return err(storeError(written.error));
  const read = await steadily(connection, (tree) => tree.get(layout.version));
  if (!read.ok) return err(storeError(read.error));
  const found = parsedVersion(new TextDecoder().decode(read.value.data));
  return found === undefined ? err(unavailable(`${layout.version} does not say which layout this is`)) : ok(found);
}

function parsedVersion(text: string): number | undefined {
  try {
    const { layout } = JSON.parse(text) as { readonly layout?: unknown };
    return typeof layout === "number" && Number.isInteger(layout) ? layout : undefined;
  } catch {
    return undefined;
  }
}

function withParents(path: string): readonly string[] {
  return path === "/" ? [] : [...withParents(parentOf(path)), path];
}

/** Creates a container and those above it, where they do not exist: they go by themselves when they have become empty. */
export async function makeContainers(connection: StoreConnection, path: string): Promise<Result<void, StoreError>> {
  const made = await steadily(connection, (tree) => tree.create(path, noBytes, { mode: "container" }));
  if (made.ok || made.error.kind === "node-exists") return ok(undefined);
  if (made.error.kind !== "no-node" || path === "/") return err(storeError(made.error));
  const above = await makeContainers(connection, parentOf(path));
  return above.ok ? makeContainers(connection, path) : above;
}
