import type { ApiClient } from "../api-client/client.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id, Kind } from "../model/objects.ts";
import { type CliError, cliErrorOf } from "./cli-error.ts";

interface Named {
  readonly id: Id;
  readonly name?: string;
  readonly tenant?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
/** Characters of an id that tables show, and the fewest that are taken for the beginning of one. */
const SHORT_ID = 8;
const PREFIX_MIN = 4;

/** An id as tables show it. */
export function shortId(id: Id): string {
  return id.slice(0, SHORT_ID);
}

/** Names and ids of objects, both ways. Each kind is read from the API at most once a command. */
export class Names {
  readonly #client: ApiClient;
  readonly #tenant: string | undefined;
  readonly #lists = new Map<Kind, Promise<Result<readonly Named[], CliError>>>();

  constructor(client: ApiClient, tenant?: string) {
    this.#client = client;
    this.#tenant = tenant;
  }

  /** The id of the object that a person means by a name, a whole id, or the beginning of one. */
  async idOf(kind: Kind, text: string): Promise<Result<Id, CliError>> {
    if (UUID.test(text)) return ok(text.toLowerCase());
    const all = await this.#all(kind);
    if (!all.ok) return all;
    const named = all.value.filter(({ name }) => name === text);
    const inTenant = named.length > 1 ? named.filter(({ tenant }) => tenant === this.#tenant) : named;
    const [first, second] = inTenant.length === 0 ? named : inTenant;
    if (first !== undefined && second === undefined) return ok(first.id);
    if (second !== undefined) return err(ambiguous(kind, text, named));
    const isPrefix = text.length >= PREFIX_MIN && /^[0-9a-f-]+$/i.test(text);
    const begun = isPrefix ? all.value.filter(({ id }) => id.startsWith(text.toLowerCase())) : [];
    const [only] = begun;
    if (begun.length > 1) return err(ambiguous(kind, text, begun));
    if (only !== undefined) return ok(only.id);
    return err({ exit: "notFound", message: `there is no ${kind} ${text}`, remedy: `see weft list ${kind}s` });
  }

  /** The name of an object, else the beginning of its id. */
  async nameOf(kind: Kind, id: Id | undefined): Promise<string> {
    if (id === undefined) return "";
    const all = await this.#all(kind);
    const name = all.ok ? all.value.find((item) => item.id === id)?.name : undefined;
    return name ?? shortId(id);
  }

  /** Text of the network with names in the place of ids, where objects of these kinds have one. */
  async withNames(texts: readonly string[], kinds: readonly Kind[]): Promise<readonly string[]> {
    if (!texts.some((text) => text.match(UUIDS) !== null)) return texts;
    const lists = await Promise.all(kinds.map((kind) => this.#all(kind)));
    const known = new Map(
      lists.flatMap((list) => (list.ok ? list.value.map(({ id, name }) => [id, name] as const) : [])),
    );
    return texts.map((text) => text.replace(UUIDS, (id) => known.get(id) ?? shortId(id)));
  }

  #all(kind: Kind): Promise<Result<readonly Named[], CliError>> {
    const known = this.#lists.get(kind);
    if (known !== undefined) return known;
    const asked = this.#client.listAll(kind).then((list) => {
      return list.ok ? ok(list.value as readonly Named[]) : err(cliErrorOf(list.error));
    });
    this.#lists.set(kind, asked);
    return asked;
  }
}

function ambiguous(kind: Kind, text: string, found: readonly Named[]): CliError {
  const list = found.map(({ id, tenant }) => (tenant === undefined ? id : `${id} (tenant ${tenant})`)).join(", ");
  return {
    exit: "notFound",
    message: `several ${kind}s are called ${text}: ${list}`,
    remedy: "give the id, or --tenant",
  };
}
