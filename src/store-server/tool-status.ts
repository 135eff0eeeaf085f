import { KINDS, MODEL_REGISTRY } from "../model/registry.ts";
import { parseLayout } from "../store/recipes/layout-document.ts";
import { isEphemeral, placeOf } from "../store/upkeep/node-place.ts";
import { type ScannedTree, scanStore } from "../store/upkeep/store-scan.ts";
import { askServer, type ServerStatus } from "../zookeeper/server-status.ts";
import type { TlsOptions } from "../zookeeper/transport.ts";
import { counted, storeSentence } from "./tool-text.ts";
import { refuse, type Tool, type ToolStore } from "./tool-transfer.ts";

/** `weft store status`: each server, then what our part of the tree holds. */
export async function statusVerb(
  tool: Tool,
  store: ToolStore,
  how: { readonly servers: readonly string[]; readonly tls: TlsOptions | undefined; readonly isJson: boolean },
): Promise<number> {
  const servers = await Promise.all(
    how.servers.map(async (server) => ({
      server,
      answer: await askServer(server, { scheduler: tool.scheduler, tls: how.tls }),
    })),
  );
  if (!how.isJson) {
    for (const { server, answer } of servers)
      tool.print(`${server}  ${answer.ok ? serverLine(answer.value) : answer.error}`);
  }
  const scanned = await scanStore(store.connection, { root: store.layout.root });
  if (!scanned.ok) return refuse(tool, storeSentence(scanned.error));
  const content = contentOf(scanned.value);
  if (how.isJson) {
    const list = servers.map(({ server, answer }) => ({
      server,
      ...(answer.ok ? answer.value : { error: answer.error }),
    }));
    tool.print(JSON.stringify({ servers: list, ...content }, undefined, 2));
    return content.unreadable === 0 ? 0 : 1;
  }
  const layout = content.layout === undefined ? "no layout" : `layout ${content.layout}`;
  const going = content.incomplete === undefined ? "" : `, incomplete: ${content.incomplete}`;
  tool.print(`${store.layout.root}  ${layout}${going}, ${content.nodes} nodes, ${content.bytes} bytes`);
  tool.print(`sessions that hold something  ${content.sessions}`);
  const objects = Object.entries(content.objects).filter(([, count]) => count > 0);
  tool.print(`objects  ${objects.map(([plural, count]) => `${plural} ${count}`).join(", ") || "none"}`);
  if (content.unreadable > 0)
    return refuse(
      tool,
      `${counted(content.unreadable, "node")} keep us out, and what stands below: see weft store check`,
    );
  return 0;
}

function serverLine({ mode, zxid, connections, nodes }: ServerStatus): string {
  return `${mode}, zxid ${zxid}, ${connections} connections, ${nodes} nodes`;
}

/** What our part of a tree holds. */
export function contentOf(tree: ScannedTree) {
  const objects: Record<string, number> = Object.fromEntries(KINDS.map((kind) => [MODEL_REGISTRY[kind].plural, 0]));
  const sessions = new Set<bigint>();
  let bytes = 0;
  let unreadable = 0;
  for (const [path, { data, stat, isUnreadable }] of tree) {
    if (isUnreadable) unreadable += 1;
    bytes += data.length + path.length;
    if (isEphemeral(stat)) sessions.add(stat.ephemeralOwner);
    const place = placeOf(path);
    if (place.place !== "document") continue;
    const { plural } = MODEL_REGISTRY[place.kind];
    objects[plural] = (objects[plural] ?? 0) + 1;
  }
  const [layout, incomplete] = [tree.get("layout"), tree.get("incomplete")];
  return {
    layout: layout === undefined ? undefined : parseLayout(layout.data)?.layout,
    incomplete: incomplete === undefined ? undefined : new TextDecoder().decode(incomplete.data),
    ...{ nodes: tree.size, bytes, unreadable, sessions: sessions.size, objects },
  };
}
