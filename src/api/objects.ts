import { fromCreate, fromPatch, fromPut, type ResourceFacts, toResource, type Wanted } from "../api-schema/convert.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import type { ResourceOf } from "../api-schema/resources.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ModelError } from "../model/model-error.ts";
import type { Id, Kind, ObjectOf, Rule, TopologyObject } from "../model/objects.ts";
import { validateObject } from "../model/validate.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import type { StoredObject, TopologyStore } from "../store/recipes/topology-store.ts";
import type { Facts } from "./facts.ts";
import { CHANGE_ATTEMPTS_MAX } from "./limits.ts";
import { apiErrorOfStore } from "./store-failure.ts";
import { WriteLine } from "./write-line.ts";

/** An object as a client sees it, and its version. */
export interface Shown<K extends Kind = Kind> {
  readonly resource: ResourceOf<K>;
  readonly version: number;
}

/** All of a kind, and what could not be read. */
export interface ShownList<K extends Kind> {
  readonly resources: readonly ResourceOf<K>[];
  readonly damaged: readonly ModelError[];
}

/** Which object a change is for, and the version that the client expects. */
export interface Target<K extends Kind = Kind> {
  readonly kind: K;
  readonly id: Id;
  readonly version?: number | undefined;
}

type Step<T> = Promise<Result<T, ApiError>>;

/** What a change makes of an object as it is, or why it refuses. */
export type Decide<K extends Kind> = (stored: StoredObject<K>) => Result<Wanted, ApiError> | Step<Wanted>;

/** The operations on topology objects, in the client's terms, over the store. Knows no HTTP. */
export class Objects {
  readonly #topology: TopologyStore;
  readonly #facts: Facts;
  readonly #newId: () => Id;
  readonly #line = new WriteLine();

  constructor(topology: TopologyStore, facts: Facts, newId: () => Id) {
    this.#topology = topology;
    this.#facts = facts;
    this.#newId = newId;
  }

  /** The stored object, or `not-found`; an id that is no UUID names nothing, and may be no path of the store either. */
  async stored<K extends Kind>(kind: K, id: Id): Step<StoredObject<K>> {
    if (!ID.test(id)) return err(apiError("not-found", { object: `${kind} ${id}` }));
    const found = fromStore(await this.#topology.get(kind, id));
    if (!found.ok) return found;
    return found.value === undefined ? err(apiError("not-found", { object: `${kind} ${id}` })) : ok(found.value);
  }

  /** One object. */
  async get<K extends Kind>(kind: K, id: Id): Step<Shown<K>> {
    const found = await this.stored(kind, id);
    return found.ok ? this.show<K>(found.value) : found;
  }

  /** All objects of a kind, in order of id. */
  async list<K extends Kind>(kind: K): Step<ShownList<K>> {
    const found = fromStore(await this.#topology.list(kind));
    if (!found.ok) return found;
    const places = kind === "rule" ? await this.#places() : ok(undefined);
    if (!places.ok) return places;
    const resources = found.value.objects.map((stored) => {
      const position = places.value?.get(stored.object.id);
      return toResource<K>(stored.object, this.#factsOf(anyKind(stored), position));
    });
    return ok({ resources, damaged: found.value.damaged });
  }

  /** Creates what the body describes; a repeated creation answers with what is there. */
  create(kind: Kind, body: unknown): Step<Shown & { readonly isNew: boolean }> {
    return this.#line.run(async () => {
      const newId = this.#newId();
      const made = await this.#create(kind, body, newId);
      return made.ok || made.error.object !== `${kind} ${newId}` ? made : err(withoutObject(made.error));
    });
  }

  async #create(kind: Kind, body: unknown, newId: Id): Step<Shown & { readonly isNew: boolean }> {
    const deviceTenant = await this.#deviceTenant(kind, body);
    if (!deviceTenant.ok) return deviceTenant;
    const tenant = deviceTenant.value;
    const wanted = fromCreate(kind, body, {
      newId,
      ...(tenant === undefined ? {} : { deviceTenant: tenant }),
    });
    if (!wanted.ok) return wanted;
    const wrong = validateObject(wanted.value.object);
    if (wrong.length > 0) return invalid(wrong);
    const before = fromStore(await this.#topology.get(kind, wanted.value.object.id));
    if (!before.ok) return before;
    const done = fromStore(await this.#topology.transact([{ op: "create", ...stepOf(wanted.value) }]));
    if (!done.ok) return done;
    const shown = await this.#showFirst<Kind>(done.value.objects);
    return shown.ok ? ok({ ...shown.value, isNew: before.value === undefined }) : shown;
  }

  /** PATCH: changes what the body names. */
  patch(target: Target, body: unknown): Step<Shown> {
    return this.#write(target, body, fromPatch);
  }

  /** PUT: replaces everything that can be written. */
  put(target: Target, body: unknown): Step<Shown> {
    return this.#write(target, body, fromPut);
  }

  /** Deletes an object, with what the model deletes along with it. */
  async delete({ kind, id, version }: Target): Step<void> {
    if (kind === "host" && this.#facts.isAlive(id)) return err(apiError("host-alive", { object: `host ${id}` }));
    const change = { op: "delete", kind, id, ...(version === undefined ? {} : { version }) } as const;
    return this.#line.run(async () => {
      const done = fromStore(await this.#topology.transact([change]));
      return done.ok ? ok(undefined) : done;
    });
  }

  /**
   * Changes an object by a function of its present state, again when others changed it meanwhile, unless the client named the
   * version. The function may refuse, or return the same object to change nothing.
   */
  change<K extends Kind>(target: Target<K>, decide: Decide<K>): Step<Shown<K>> {
    return this.#line.run(() => this.#change(target, decide));
  }

  async #change<K extends Kind>(target: Target<K>, decide: Decide<K>): Step<Shown<K>> {
    for (let attempt = 1; ; attempt++) {
      const stored = await this.stored(target.kind, target.id);
      if (!stored.ok) return stored;
      const { object, version } = stored.value;
      if (target.version !== undefined && target.version !== version) return mismatch(target, version);
      const wanted = await decide(stored.value);
      if (!wanted.ok) return wanted;
      if (wanted.value.object === (object as TopologyObject) && wanted.value.position === undefined)
        return this.show(stored.value);
      const wrong = validateObject(wanted.value.object);
      if (wrong.length > 0) return invalid(wrong);
      const done = await this.#topology.transact([{ op: "update", ...stepOf(wanted.value), version }]);
      if (done.ok) return this.#showFirst<K>(done.value.objects);
      const isRace = done.error.kind === "version-conflict" && target.version === undefined;
      if (!isRace) return err(apiErrorOfStore(done.error));
      if (attempt === CHANGE_ATTEMPTS_MAX) return err(apiError("conflict", { object: `${target.kind} ${target.id}` }));
    }
  }

  /** A stored object as a client sees it. */
  async show<K extends Kind>(stored: StoredObject<K>): Step<Shown<K>> {
    const object = stored.object as TopologyObject;
    const position = object.kind === "rule" ? await this.#placeOf(object) : ok(undefined);
    if (!position.ok) return position;
    return ok({
      resource: toResource<K>(stored.object, this.#factsOf(anyKind(stored), position.value)),
      version: stored.version,
    });
  }

  async #write(
    target: Target,
    body: unknown,
    convert: (object: TopologyObject, body: unknown, facts: ResourceFacts) => Result<Wanted, ApiError>,
  ): Step<Shown> {
    const inBody = versionIn(body);
    const version = target.version ?? inBody;
    if (inBody !== undefined && version !== inBody) return mismatch(target, inBody);
    return this.change({ ...target, version }, async (stored) => {
      const shown = await this.show(stored);
      if (!shown.ok) return shown;
      const { position } = shown.value.resource as { readonly position?: number };
      const facts = this.#factsOf(stored, position);
      return convert(stored.object, body, facts);
    });
  }

  #factsOf(stored: StoredObject, position: number | undefined): ResourceFacts {
    const facts = this.#facts.of(stored.object, stored.version);
    return position === undefined ? facts : { ...facts, position };
  }

  async #showFirst<K extends Kind>(objects: readonly StoredObject[]): Step<Shown<K>> {
    const [first] = objects;
    return first === undefined ? err(apiError("internal")) : this.show<K>(first as unknown as StoredObject<K>);
  }

  async #placeOf(rule: Rule): Step<number | undefined> {
    const chain = fromStore(await this.#topology.get("chain", rule.chainId));
    if (!chain.ok) return chain;
    const index = chain.value?.object.ruleIds.indexOf(rule.id) ?? -1;
    return ok(index < 0 ? undefined : index + 1);
  }

  async #places(): Step<ReadonlyMap<Id, number>> {
    const chains = fromStore(await this.#topology.list("chain"));
    if (!chains.ok) return chains;
    return ok(
      new Map(chains.value.objects.flatMap(({ object }) => object.ruleIds.map((id, i) => [id, i + 1] as const))),
    );
  }

  /** The tenant of the device that a new port names, when it names one that exists; the store checks the rest. */
  async #deviceTenant(kind: Kind, body: unknown): Step<string | undefined> {
    if (kind !== "port" || typeof body !== "object" || body === null) return ok(undefined);
    const fields = body as Readonly<Record<string, unknown>>;
    const deviceKind = typeof fields["bridgeId"] === "string" ? "bridge" : "router";
    const deviceId = fields[`${deviceKind}Id`];
    if (typeof deviceId !== "string" || !ID.test(deviceId)) return ok(undefined);
    const device = fromStore(await this.#topology.get(deviceKind, deviceId.toLowerCase()));
    return device.ok ? ok((device.value?.object as ObjectOf<"bridge" | "router"> | undefined)?.tenant) : device;
  }
}

/** Clients count places from 1, the store from 0. */
function stepOf({ object, position }: Wanted): Wanted {
  return position === undefined ? { object } : { object, position: position - 1 };
}

/** A UUID, in either case. */
export const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The same object where its kind does not matter. */
function anyKind<K extends Kind>(stored: StoredObject<K>): StoredObject {
  return stored as unknown as StoredObject;
}

function fromStore<T>(result: Result<T, StoreError>): Result<T, ApiError> {
  return result.ok ? result : err(apiErrorOfStore(result.error));
}

function invalid(errors: readonly ModelError[]): Result<never, ApiError> {
  return err(apiErrorOfStore({ kind: "invalid", errors }));
}

/** An error about an object that was never made: nobody could look up its id. */
function withoutObject({ code, message: _message, remedy: _remedy, object: _object, ...detail }: ApiError): ApiError {
  return apiError(code, detail);
}

function mismatch(target: Target, actual: number): Result<never, ApiError> {
  const object = { kind: target.kind, id: target.id };
  return err(apiErrorOfStore({ kind: "version-conflict", object, expected: target.version ?? -1, actual }));
}

/** The version that a body repeats from what was read: it asks for the same care as `If-Match`. */
function versionIn(body: unknown): number | undefined {
  const version = typeof body === "object" && body !== null && "version" in body ? body.version : undefined;
  return typeof version === "number" ? version : undefined;
}
