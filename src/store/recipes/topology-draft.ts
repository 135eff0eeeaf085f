import { unreachable } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { encodeObject } from "../../model/encoding.ts";
import type { ModelError } from "../../model/model-error.ts";
import type { Id, Kind, ObjectOf, TopologyObject } from "../../model/objects.ts";
import {
  type Reference,
  readBackField,
  referencesFrom,
  referencesOf,
  referencesTo,
  withBackField,
} from "../../model/references.ts";
import { MODEL_REGISTRY } from "../../model/registry.ts";
import { validateAmong, validateObject, validateUpdate } from "../../model/validate.ts";
import { uselessIn } from "../../model/validate-use.ts";
import type { NameQuery, TopologyView } from "../../model/view.ts";
import type { StoreError } from "./store-error.ts";
import { referrerName, type TopologyRead } from "./topology-read.ts";
import type { TopologyChange } from "./topology-store.ts";

/** An object of a draft: what it becomes, undefined when it goes. */
export interface DraftObject {
  readonly kind: Kind;
  readonly id: Id;
  readonly after: TopologyObject | undefined;
}

/**
 * A transaction being worked out on what was read: each change with all that follows from it (kept lists, symmetric links,
 * delete rules). Pure. When something was not read yet, `read.missing` names it and the draft is worthless: read, start anew.
 */
export class TopologyDraft implements TopologyView {
  readonly read: TopologyRead;
  /** Everything that a change touched, in order. */
  readonly objects = new Map<string, DraftObject>();
  /** What the changes deleted, cascades included. */
  readonly deleted: { readonly kind: Kind; readonly id: Id }[] = [];
  /** The objects that the changes are about, in their order. */
  readonly subjects: { readonly kind: Kind; readonly id: Id }[] = [];
  /** References to objects that may still be created by a later change, by object. */
  readonly #early = new Map<string, Linking[]>();
  readonly #refusals: { readonly row: Reference; readonly from: Id; readonly to: Id }[] = [];

  constructor(read: TopologyRead) {
    this.read = read;
  }

  get<K extends Kind>(kind: K, id: Id): ObjectOf<K> | undefined {
    const draft = this.objects.get(`${kind}/${id}`);
    return draft === undefined ? this.read.object(kind, id) : (draft.after as ObjectOf<K> | undefined);
  }

  idOfName(query: NameQuery): Id | undefined {
    const holder = this.read.name(query);
    const drafted = holder === undefined ? undefined : this.objects.get(`${query.kind}/${holder}`);
    if (holder !== undefined && (drafted === undefined || isNamed(drafted.after, query))) return holder;
    for (const { id, after } of this.objects.values()) if (isNamed(after, query)) return id;
    return undefined;
  }

  /** Does one change and what follows from it. */
  apply(change: TopologyChange): Result<void, StoreError> {
    switch (change.op) {
      case "create":
        return this.#create(change.object, change.position);
      case "update":
        return this.#update(change.object, change);
      case "modify": {
        const before = this.#existing(change);
        return before.ok ? this.#update(change.change(before.value), { ...change, object: before.value }) : before;
      }
      case "delete":
        return this.#delete(change);
      default:
        return unreachable(change);
    }
  }

  /** What forbids the transaction now that all changes were done. */
  verdict(): Result<void, StoreError> {
    for (const { row, from, to } of this.#refusals) {
      const referrer = this.get(row.from, from);
      if (referrer !== undefined && row.read(referrer).includes(to)) {
        const object = { kind: row.to, id: to };
        return err({ kind: "in-use", object, by: { kind: row.from, id: from }, field: row.field });
      }
    }
    const errors = this.#problems();
    return errors.length === 0 ? ok(undefined) : err({ kind: "invalid", errors });
  }

  /** Version that an object's document has once the draft is written. */
  versionAfter(kind: Kind, id: Id): number {
    const document = this.read.document(kind, id);
    if (document.found === "nothing") return 0;
    const after = this.objects.get(`${kind}/${id}`)?.after;
    const isSame =
      after === undefined || (document.found === "object" && encodeObject(after) === encodeObject(document.object));
    return isSame ? document.version : document.version + 1;
  }

  #problems(): readonly ModelError[] {
    const problems: ModelError[] = [];
    const subjects = new Set(this.subjects.map(({ kind, id }) => `${kind}/${id}`));
    for (const [key, { after }] of this.objects) {
      if (after === undefined) continue;
      const alone = validateObject(after);
      problems.push(...alone);
      if (alone.length === 0 && subjects.has(key)) problems.push(...validateAmong(after, this));
    }
    return problems;
  }

  #create(object: TopologyObject, position: number | undefined): Result<void, StoreError> {
    const { kind, id } = object;
    this.subjects.push({ kind, id });
    const present = this.get(kind, id);
    if (present !== undefined) {
      const isSame = encodeObject(withLinksOf(withListsOf(object, present), present)) === encodeObject(present);
      return isSame ? ok(undefined) : err({ kind: "already-exists", object: { kind, id } });
    }
    if (this.#damage(kind, id) !== undefined) return err({ kind: "already-exists", object: { kind, id } });
    const useless = uselessIn(object);
    if (useless.length > 0) return err({ kind: "invalid", errors: useless });
    this.#put(withListsOf(object, undefined));
    const linked = this.#relink({ id, before: undefined, after: object, position });
    for (const early of this.#early.get(`${kind}/${id}`) ?? []) {
      const referrer = this.get(early.row.from, early.from);
      if (referrer !== undefined && early.row.read(referrer).includes(id)) this.#link(early);
    }
    return linked;
  }

  #update(
    object: TopologyObject,
    expected: { readonly object: TopologyObject; readonly version?: number; readonly position?: number },
  ): Result<void, StoreError> {
    const { kind, id } = expected.object;
    const before = this.#existing({ kind, id, ...versionOf(expected) });
    if (!before.ok) return before;
    this.subjects.push({ kind, id });
    const after = withListsOf(object, before.value);
    const errors = validateUpdate(before.value, after);
    if (errors.length > 0) return err({ kind: "invalid", errors });
    this.#put(after);
    return this.#relink({ id, before: before.value, after, position: expected.position });
  }

  #delete(change: { readonly kind: Kind; readonly id: Id; readonly version?: number }): Result<void, StoreError> {
    const { kind, id } = change;
    if (this.#damage(kind, id) === undefined) {
      const before = this.#existing(change);
      if (!before.ok) return before;
    }
    return this.#deleteWithFollowers(kind, id);
  }

  /** Deletes an object, then deals with those that refer to it; of an unreadable document they are searched for. */
  #deleteWithFollowers(kind: Kind, id: Id): Result<void, StoreError> {
    const object = this.get(kind, id);
    const isDamaged = this.#damage(kind, id) !== undefined;
    this.objects.set(`${kind}/${id}`, { kind, id, after: undefined });
    this.deleted.push({ kind, id });
    if (object !== undefined) {
      const unlinked = this.#relink({ id, before: object, after: undefined, position: undefined });
      if (!unlinked.ok) return unlinked;
    }
    for (const row of referencesTo(kind)) {
      if (row.isSymmetric) continue;
      for (const from of this.#referrers(row, { id, object, isDamaged })) {
        const followed = this.#follow(row, from, id);
        if (!followed.ok) return followed;
      }
    }
    return ok(undefined);
  }

  #follow(row: Reference, from: Id, deleted: Id): Result<void, StoreError> {
    const referrer = this.get(row.from, from);
    if (referrer === undefined) {
      const damage = this.#damage(row.from, from);
      if (damage === undefined) return ok(undefined);
      return row.onDelete === "cascade"
        ? this.#deleteWithFollowers(row.from, from)
        : err({ kind: "damaged", error: damage });
    }
    switch (row.onDelete) {
      case "cascade":
        return this.#deleteWithFollowers(row.from, from);
      case "clear": {
        const cleared = row.clear(referrer, deleted);
        if (cleared === undefined) return this.#deleteWithFollowers(row.from, from);
        this.#put(cleared);
        return ok(undefined);
      }
      case "refuse":
        this.#refusals.push({ row, from, to: deleted });
        return ok(undefined);
      default:
        return unreachable(row.onDelete);
    }
  }

  #referrers(row: Reference, target: DeletedObject): readonly Id[] {
    if (row.backField === undefined) {
      const prefix = referrerName(row, "");
      const names = this.read.referrers(row.to, target.id).filter((name) => name.startsWith(prefix));
      const here = [...this.objects.values()].filter(
        ({ after }) => after !== undefined && row.read(after).includes(target.id),
      );
      return [...new Set([...names.map((name) => name.slice(prefix.length)), ...here.map(({ id }) => id)])];
    }
    if (target.isDamaged) return this.read.scanned(row, target.id);
    return target.object === undefined ? [] : readBackField(target.object, row.backField);
  }

  /** Brings kept lists and symmetric links of the objects referred to in step with a change of the referring one. */
  #relink(change: Relinking): Result<void, StoreError> {
    const { id, before, after, position } = change;
    const kind = (after ?? before)?.kind;
    if (kind === undefined) return ok(undefined);
    for (const row of referencesFrom(kind)) {
      const old = before === undefined ? [] : row.read(before);
      const now = after === undefined ? [] : row.read(after);
      for (const to of old) if (!now.includes(to)) this.#unlink(row, id, to);
      for (const to of now) {
        const isNew = !old.includes(to);
        const damage = isNew && this.get(row.to, to) === undefined ? this.#damage(row.to, to) : undefined;
        if (damage !== undefined) return err({ kind: "damaged", error: damage });
        if (isNew || position !== undefined) this.#link({ row, from: id, to, position });
      }
    }
    return ok(undefined);
  }

  #link(linking: Linking): void {
    const { row, from, to, position } = linking;
    const target = this.get(row.to, to);
    if (target === undefined) {
      const key = `${row.to}/${to}`;
      const early = this.#early.get(key);
      if (early === undefined) this.#early.set(key, [linking]);
      else early.push(linking);
      return;
    }
    if (row.backField !== undefined) {
      const list = readBackField(target, row.backField);
      const isOrdered = row.backField === "ruleIds";
      if (list.includes(from) && !(isOrdered && position !== undefined)) return;
      const others = list.filter((id) => id !== from);
      const at = isOrdered && position !== undefined ? position : others.length;
      this.#put(withBackField(target, row.backField, others.toSpliced(at, 0, from)));
    } else if (row.isSymmetric && row.read(target).length === 0) {
      this.#put({ ...target, [row.field]: from });
    }
  }

  #unlink(row: Reference, from: Id, to: Id): void {
    const target = this.get(row.to, to);
    if (target === undefined) return;
    if (row.backField !== undefined) {
      const list = readBackField(target, row.backField);
      this.#put(
        withBackField(
          target,
          row.backField,
          list.filter((id) => id !== from),
        ),
      );
    } else if (row.isSymmetric) {
      const cleared = row.clear(target, from);
      if (cleared !== undefined) this.#put(cleared);
    }
  }

  #put(after: TopologyObject): void {
    const { kind, id } = after;
    this.objects.set(`${kind}/${id}`, { kind, id, after });
  }

  #existing(key: {
    readonly kind: Kind;
    readonly id: Id;
    readonly version?: number;
  }): Result<TopologyObject, StoreError> {
    const { kind, id, version } = key;
    const object: TopologyObject | undefined = this.get(kind, id);
    if (object === undefined) {
      const error = this.#damage(kind, id);
      return err(error === undefined ? { kind: "not-found", object: { kind, id } } : { kind: "damaged", error });
    }
    const document = this.read.document(kind, id);
    const actual = document.found === "nothing" ? 0 : document.version;
    if (version === undefined || version === actual) return ok(object);
    return err({ kind: "version-conflict", object: { kind, id }, expected: version, actual });
  }

  #damage(kind: Kind, id: Id): ModelError | undefined {
    if (this.objects.has(`${kind}/${id}`)) return undefined;
    const document = this.read.document(kind, id);
    return document.found === "damaged" ? document.error : undefined;
  }
}

interface Relinking {
  readonly id: Id;
  readonly before: TopologyObject | undefined;
  readonly after: TopologyObject | undefined;
  readonly position: number | undefined;
}

interface DeletedObject {
  readonly id: Id;
  readonly object: TopologyObject | undefined;
  readonly isDamaged: boolean;
}

interface Linking {
  readonly row: Reference;
  readonly from: Id;
  readonly to: Id;
  readonly position: number | undefined;
}

function versionOf(expected: { readonly version?: number }): { readonly version?: number } {
  return expected.version === undefined ? {} : { version: expected.version };
}

/** The object with the kept lists of `present`, empty ones when it is new: what a client says there does not count. */
function withListsOf(object: TopologyObject, present: TopologyObject | undefined): TopologyObject {
  let result = object;
  for (const { backField } of referencesTo(object.kind)) {
    if (backField === undefined) continue;
    result = withBackField(result, backField, present === undefined ? [] : readBackField(present, backField));
  }
  return result;
}

/** The object with the symmetric links that the other end has made since: a repeated create does not mean to cut them. */
function withLinksOf(object: TopologyObject, present: TopologyObject): TopologyObject {
  let result = object;
  for (const row of referencesFrom(object.kind)) {
    const [linked] = row.isSymmetric === true && row.read(object).length === 0 ? row.read(present) : [];
    if (linked !== undefined) result = { ...result, [row.field]: linked };
  }
  return result;
}

/** The name of an object within its scope, undefined for kinds and objects without one. */
export function nameOfObject(object: TopologyObject): NameQuery | undefined {
  const { nameScope } = MODEL_REGISTRY[object.kind];
  if (nameScope === "none" || !("name" in object) || object.name === undefined) return undefined;
  const tenant = nameScope === "tenant" && "tenant" in object ? object.tenant : "";
  return { kind: object.kind, tenant, name: object.name };
}

function isNamed(object: TopologyObject | undefined, query: NameQuery): boolean {
  const own = object?.kind === query.kind ? nameOfObject(object) : undefined;
  return own !== undefined && own.tenant === query.tenant && own.name === query.name;
}

/** Nodes under documents that an object asks for: one for each reference that no list in the target covers. */
export function referrerNodes(object: TopologyObject | undefined): readonly ReferrerNode[] {
  if (object === undefined) return [];
  return referencesOf(object)
    .filter(({ row }) => row.backField === undefined && row.isSymmetric === undefined)
    .map(({ row, id }) => ({ kind: row.to, id, name: referrerName(row, object.id) }));
}

/** A referrer node: the object that it stands under, and its name. */
export interface ReferrerNode {
  readonly kind: Kind;
  readonly id: Id;
  readonly name: string;
}
