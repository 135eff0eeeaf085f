import type { Duration, Instant } from "../../base/clock.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { encodeObject } from "../../model/encoding.ts";
import type { Id, Kind, TopologyObject } from "../../model/objects.ts";
import { MODEL_REGISTRY } from "../../model/registry.ts";
import type { PortActive } from "./control-events.ts";

/** Version of the snapshots that this release writes, and the newest that it reads. */
export const SNAPSHOT_VERSION = 1;

/** An object as its stored document. */
export interface SnapshotObject {
  readonly kind: Kind;
  readonly id: Id;
  readonly text: string;
}

/** Since when the owner of a port was unconfirmed, by the wall clock, and for how long. */
export interface Unconfirmed {
  readonly since: Instant;
  readonly lasted: Duration;
}

/** What a host knew of the world outside it when the store last answered: enough to go on forwarding from it. */
export interface WorldSnapshot {
  /** Wall-clock time at which it was taken. */
  readonly at: Instant;
  readonly objects: ReadonlyMap<Id, SnapshotObject>;
  /** What other hosts said of their ports. */
  readonly actives: ReadonlyMap<Id, PortActive>;
  /** Those of them of which no host said so any more: their hosts were sent to without a session. */
  readonly unconfirmed: ReadonlyMap<Id, Unconfirmed>;
  /** Under which key hosts take a bridge's floods, by bridge and host. */
  readonly floods: ReadonlyMap<Id, ReadonlyMap<Id, number>>;
  /** Winners of replicated maps as texts of the map's kind, by `map/device`. */
  readonly maps: ReadonlyMap<string, readonly (readonly [string, string])[]>;
}

/**
 * What a snapshot is written from, read while it is written: piece by piece, each as it is then. A host hears of objects one by
 * one, so what it knows is never of one moment anyway.
 */
export interface KnownWorld {
  readonly at: Instant;
  readonly objects: Iterable<TopologyObject>;
  readonly actives: Iterable<readonly [Id, PortActive, Unconfirmed?]>;
  readonly floods: Iterable<readonly [Id, ReadonlyMap<Id, number>]>;
  readonly maps: Iterable<readonly [string, Iterable<readonly [string, string]>]>;
}

type SnapshotRecord =
  | { readonly record: "agent-snapshot"; readonly v: number; readonly hostId: Id; readonly at: number }
  | ({ readonly record: "object" } & SnapshotObject)
  | {
      readonly record: "active";
      readonly portId: Id;
      readonly state: PortActive;
      /** Older releases do not write it, and pass over it. */
      readonly unconfirmed?: Unconfirmed;
    }
  | { readonly record: "floods"; readonly bridgeId: Id; readonly keys: readonly (readonly [Id, number])[] }
  | { readonly record: "map"; readonly name: string; readonly entries: readonly (readonly [string, string])[] };

/** A snapshot as records of a local journal, each made when it is asked for: a host may know a hundred thousand objects. */
export function* encodeSnapshot(known: KnownWorld, hostId: Id): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const record of recordsOf(known, hostId)) yield encoder.encode(JSON.stringify(record));
}

function* recordsOf({ at, objects, actives, floods, maps }: KnownWorld, hostId: Id): Generator<SnapshotRecord> {
  yield { record: "agent-snapshot", v: SNAPSHOT_VERSION, hostId, at };
  for (const object of objects) {
    const { kind, id } = object;
    yield { record: "object", kind, id, text: encodeObject(object) };
  }
  for (const [portId, state, unconfirmed] of actives)
    yield { record: "active", portId, state, ...(unconfirmed && { unconfirmed }) };
  for (const [bridgeId, keys] of floods) yield { record: "floods", bridgeId, keys: [...keys] };
  for (const [name, entries] of maps) yield { record: "map", name, entries: [...entries] };
}

/**
 * A snapshot from the records of a journal; undefined when there is none. Refused with a sentence: one of a newer release, of another
 * host, or of something else.
 */
export function decodeSnapshot(records: readonly Uint8Array[], hostId: Id): Result<WorldSnapshot | undefined, string> {
  const [first, ...rest] = records.map(parsed);
  if (records.length === 0) return ok(undefined);
  if (first?.record !== "agent-snapshot") return err("it is no snapshot of an agent");
  if (first.v > SNAPSHOT_VERSION) return err(`it is of version ${first.v}, this agent knows ${SNAPSHOT_VERSION}`);
  if (first.hostId !== hostId) return err(`it belongs to host ${first.hostId}`);
  const objects = new Map<Id, SnapshotObject>();
  const actives = new Map<Id, PortActive>();
  const unconfirmed = new Map<Id, Unconfirmed>();
  const floods = new Map<Id, ReadonlyMap<Id, number>>();
  const maps = new Map<string, readonly (readonly [string, string])[]>();
  for (const [i, record] of rest.entries()) {
    if (record?.record === "object") objects.set(record.id, { kind: record.kind, id: record.id, text: record.text });
    else if (record?.record === "active") {
      actives.set(record.portId, record.state);
      if (record.unconfirmed !== undefined) unconfirmed.set(record.portId, record.unconfirmed);
    } else if (record?.record === "floods") floods.set(record.bridgeId, new Map(record.keys));
    else if (record?.record === "map") maps.set(record.name, record.entries);
    else return err(`record ${i + 2} is none of a snapshot`);
  }
  return ok({ at: first.at, objects, actives, unconfirmed, floods, maps });
}

function parsed(bytes: Uint8Array): SnapshotRecord | undefined {
  try {
    const record: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is SnapshotRecord {
  const record = value as Partial<Record<string, unknown>> | null;
  if (typeof record !== "object" || record === null) return false;
  switch (record["record"]) {
    case "agent-snapshot":
      return Number.isInteger(record["v"]) && isText(record["hostId"]) && Number.isFinite(record["at"]);
    case "object":
      return (
        isText(record["kind"]) && record["kind"] in MODEL_REGISTRY && isText(record["id"]) && isText(record["text"])
      );
    case "active":
      return isText(record["portId"]) && isActive(record["state"]) && isUnconfirmed(record["unconfirmed"]);
    case "floods":
      return isText(record["bridgeId"]) && isPairs(record["keys"], Number.isInteger);
    case "map":
      return isText(record["name"]) && isPairs(record["entries"], isText);
    default:
      return false;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isPairs(value: unknown, isSecond: (second: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && isText(pair[0]) && isSecond(pair[1]));
}

function isActive(value: unknown): boolean {
  const state = value as Partial<PortActive> | null;
  return isText(state?.hostId) && Number.isInteger(state.tunnelKey) && Number.isInteger(state.generation);
}

function isUnconfirmed(value: unknown): boolean {
  const { since, lasted } = (value ?? {}) as Partial<Unconfirmed>;
  return value === undefined || (Number.isFinite(since) && typeof lasted === "number" && lasted >= 0);
}
