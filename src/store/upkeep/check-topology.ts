import { decodeObject, encodeObject } from "../../model/encoding.ts";
import type { Id, Kind, ObjectOf, TopologyObject } from "../../model/objects.ts";
import { type BackField, REFERENCES, readBackField, referencesTo, withBackField } from "../../model/references.ts";
import { MODEL_REGISTRY } from "../../model/registry.ts";
import { validateAmong } from "../../model/validate.ts";
import type { NameQuery, TopologyView } from "../../model/view.ts";
import type { Layout } from "../recipes/layout.ts";
import { nameOfObject, referrerNodes } from "../recipes/topology-draft.ts";
import type { TreeOperation } from "../tree.ts";
import type { Finding, FindingKind } from "./finding.ts";
import { placeOf } from "./node-place.ts";
import type { ScannedTree } from "./store-scan.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

/** Everything that is wrong with the objects of a store: their documents, references, names, and what the store notes of them. */
export function checkTopology(tree: ScannedTree, layout: Layout): readonly Finding[] {
  return new TopologyCheck(tree, layout).run();
}

class TopologyCheck implements TopologyView {
  readonly #tree: ScannedTree;
  readonly #layout: Layout;
  readonly #objects = new Map<string, TopologyObject>();
  readonly #damaged = new Set<string>();
  readonly #names = new Map<string, Id>();
  readonly #findings: Finding[] = [];

  constructor(tree: ScannedTree, layout: Layout) {
    this.#tree = tree;
    this.#layout = layout;
  }

  get<K extends Kind>(kind: K, id: Id): ObjectOf<K> | undefined {
    return this.#objects.get(`${kind}/${id}`) as ObjectOf<K> | undefined;
  }

  idOfName(query: NameQuery): Id | undefined {
    return this.#names.get(this.#layout.name(query));
  }

  run(): readonly Finding[] {
    this.#readDocuments();
    this.#checkNames();
    for (const object of this.#objects.values()) {
      this.#checkReferences(object);
      this.#checkLists(object);
      this.#checkAmong(object);
    }
    this.#checkReferrers();
    return this.#findings;
  }

  #readDocuments(): void {
    for (const [path, { data, isUnreadable }] of this.#tree) {
      const place = placeOf(path);
      if (place.place !== "document" || isUnreadable) continue;
      const { kind, id } = place;
      const read = decodeObject({ kind, id }, decoder.decode(data));
      if (read.ok) {
        this.#objects.set(`${kind}/${id}`, read.value);
        continue;
      }
      this.#damaged.add(`${kind}/${id}`);
      const { field, expected } = read.error;
      const isNewer = read.error.kind === "newer-document";
      this.#add(isNewer ? "newer-document" : "damaged-document", path, {
        detail: `${field === "" ? "expected" : `${field}: expected`} ${expected}`,
      });
    }
  }

  #checkNames(): void {
    for (const object of this.#objects.values()) {
      const name = nameOfObject(object);
      if (name === undefined) continue;
      const full = this.#layout.name(name);
      const holder = this.#names.get(full);
      if (holder === undefined) this.#names.set(full, object.id);
      else
        this.#add("taken-name", this.#below(this.#layout.object(object.kind, object.id)), {
          detail: `${name.name} is ${holder}'s too`,
        });
    }
    for (const [full, id] of this.#names) {
      const path = this.#below(full);
      const node = this.#tree.get(path);
      const said = node && decoder.decode(node.data);
      if (node === undefined)
        this.#add("missing-name", path, {
          detail: `of ${id}`,
          repair: [{ op: "create", path: full, data: encoder.encode(id) }],
        });
      else if (said !== id && !this.#isDuplicate(full, said))
        this.#add("stale-name", path, {
          detail: `says ${said}, is ${id}'s`,
          repair: [{ op: "set", path: full, data: encoder.encode(id), version: node.stat.version }],
        });
    }
    for (const [path, node] of this.#tree) {
      const place = placeOf(path);
      if (place.place !== "name" || this.#names.has(this.#full(path))) continue;
      const id = decoder.decode(node.data);
      // Whose document cannot be read may well have this name.
      if (this.#damaged.has(`${place.kind}/${id}`)) continue;
      const removal: TreeOperation = { op: "remove", path: this.#full(path), version: node.stat.version };
      this.#add("stale-name", path, { detail: `of ${id}, which does not have it`, repair: [removal] });
    }
  }

  #isDuplicate(full: string, id: string | undefined): boolean {
    for (const object of this.#objects.values()) {
      const name = object.id === id ? nameOfObject(object) : undefined;
      if (name !== undefined && this.#layout.name(name) === full) return true;
    }
    return false;
  }

  #checkReferences(object: TopologyObject): void {
    let cleared: TopologyObject | undefined;
    const missing: string[] = [];
    let isClearable = true;
    for (const row of REFERENCES) {
      if (row.from !== object.kind) continue;
      for (const id of row.read(object)) {
        const key = `${row.to}/${id}`;
        if (this.#objects.has(key) || this.#damaged.has(key)) continue;
        missing.push(`${row.field} says ${row.to} ${id}`);
        cleared = row.onDelete === "clear" ? row.clear(cleared ?? object, id) : undefined;
        isClearable &&= cleared !== undefined;
      }
    }
    if (missing.length === 0) return;
    const path = this.#below(this.#layout.object(object.kind, object.id));
    const repair = isClearable && cleared !== undefined ? [this.#rewrite(cleared)] : undefined;
    this.#add("dangling-reference", path, { detail: missing.join(", "), ...(repair && { repair }) });
  }

  #checkLists(object: TopologyObject): void {
    let right: TopologyObject = object;
    const wrong: string[] = [];
    for (const field of new Set(referencesTo(object.kind).flatMap(({ backField }) => backField ?? []))) {
      const [said, meant] = [readBackField(object, field), this.#referrers(object, field)];
      const kept = said.filter((id, i) => meant.has(id) && said.indexOf(id) === i);
      const list = [...kept, ...[...meant].filter((id) => !kept.includes(id))];
      if (list.length === said.length && list.every((id, i) => id === said[i])) continue;
      right = withBackField(right, field, list);
      wrong.push(`${field} has ${said.length}, ${list.length} refer to it`);
    }
    if (wrong.length === 0) return;
    const path = this.#below(this.#layout.object(object.kind, object.id));
    // With an unreadable document nobody knows to whom it belongs.
    const repair = this.#damaged.size === 0 ? [this.#rewrite(right)] : undefined;
    this.#add("list-out-of-step", path, { detail: wrong.join(", "), ...(repair && { repair }) });
  }

  /** Ids of the objects that refer to this one by references that it lists in a field. */
  #referrers(object: TopologyObject, field: BackField): ReadonlySet<Id> {
    this.#byTarget ??= this.#listReferrers();
    return this.#byTarget.get(`${object.kind}/${object.id}/${field}`) ?? new Set();
  }

  #byTarget: Map<string, Set<Id>> | undefined;

  #listReferrers(): Map<string, Set<Id>> {
    const lists = new Map<string, Set<Id>>();
    for (const object of this.#objects.values()) {
      for (const row of REFERENCES) {
        if (row.from !== object.kind || row.backField === undefined) continue;
        for (const id of row.read(object)) {
          const key = `${row.to}/${id}/${row.backField}`;
          lists.set(key, (lists.get(key) ?? new Set()).add(object.id));
        }
      }
    }
    return lists;
  }

  #checkAmong(object: TopologyObject): void {
    for (const error of validateAmong(object, this)) {
      if (error.kind === "dangling-reference" || error.kind === "duplicate-name") continue;
      const path = this.#below(this.#layout.object(object.kind, object.id));
      this.#add("inconsistent", path, { detail: `${error.field}: expected ${error.expected}` });
    }
  }

  #checkReferrers(): void {
    const meant = new Set<string>();
    for (const object of this.#objects.values()) {
      for (const { kind, id, name } of referrerNodes(object)) {
        const target = this.#below(this.#layout.object(kind, id));
        if (this.#tree.has(target)) meant.add(`${target}/${name}`);
      }
    }
    for (const path of meant) {
      if (this.#tree.has(path)) continue;
      const repair: TreeOperation = { op: "create", path: this.#full(path), data: noBytes };
      this.#add("missing-referrer", path, { detail: "", repair: [repair] });
    }
    for (const [path, node] of this.#tree) {
      const place = placeOf(path);
      if (place.place !== "referrer" || meant.has(path)) continue;
      const [from = "", id = ""] = [place.name.split(".", 1)[0], place.name.split(",")[1]];
      if (!Object.hasOwn(MODEL_REGISTRY, from) || this.#damaged.has(`${from}/${id}`)) continue;
      const removal: TreeOperation = { op: "remove", path: this.#full(path), version: node.stat.version };
      this.#add("stale-referrer", path, { detail: `${from} ${id} does not refer to it`, repair: [removal] });
    }
  }

  #rewrite(object: TopologyObject): TreeOperation {
    const path = this.#layout.object(object.kind, object.id);
    const version = this.#tree.get(this.#below(path))?.stat.version ?? 0;
    return { op: "set", path, data: encoder.encode(encodeObject(object)), version };
  }

  #add(kind: FindingKind, path: string, why: Pick<Finding, "detail" | "repair">): void {
    this.#findings.push({ kind, path: this.#full(path), ...why });
  }

  #full(path: string): string {
    return `${this.#layout.root}/${path}`;
  }

  #below(path: string): string {
    return path.slice(this.#layout.root.length + 1);
  }
}
