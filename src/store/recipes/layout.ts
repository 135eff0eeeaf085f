import type { Id, Kind } from "../../model/objects.ts";
import { MODEL_REGISTRY } from "../../model/registry.ts";
import type { NameQuery } from "../../model/view.ts";

/**
 * Version of the layout that this release writes. It also reads the one before. Any other is refused by name, and while the store
 * has the one before nothing is written: `weft store migrate` comes first.
 */
export const layoutVersion = 1;

/** Where everything stands when nothing else is configured. */
export const defaultRoot = "/weft";

/**
 * The paths of the store, readable with the stock ZooKeeper CLI:
 *
 *     <root>/layout                                       {"layout":1}; with "migratingTo" while a migration runs
 *     <root>/incomplete                                   a copy or restore into this store has not ended; no layout then
 *     <root>/term                                         what fencing numbers of this store begin with, see fences.ts
 *     <root>/secret                                       what the hosts of the cloud share: 32 hexadecimal digits
 *     <root>/objects/bridges/<id>                         the document (JSON)
 *     <root>/objects/chains/<id>/bridge.inboundFilterId,<id>   who refers to it, where the document has no list for that
 *     <root>/names/bridges/<tenant>,<name>                the id
 *     <root>/deletions/<n>                                its version counts deletions of some ids
 *     <root>/transactions/<session>-<start>-<n>           ephemeral: transaction n of this process happened
 *     <root>/maps/<kind>/<id>/<map>[/<part>]              opinions: key,value,sequence
 *     <root>/state/<kind>/<name>/<id>                     ephemeral: a state key
 *     <root>/locks/<name>/<session>-<start>-<n>,<sequence>      ephemeral: who holds a lock, and who waits for it
 *     <root>/elections/<name>/<session>-<start>-<n>,<sequence>  ephemeral: who leads, and who would next
 *     <root>/owners/<service>/<id>                        ephemeral: who owns an object for a service
 *     <root>/nat/<device>/<address>/<block>               who leased a block of ports last; its version counts leases
 *     <root>/nat/<device>/<address>/<block>/taken         ephemeral: the block is leased
 */
export class Layout {
  readonly root: string;
  /** The version that is written here; that of the release, but for tests of migrations. */
  readonly written: number;

  constructor(root: string = defaultRoot, written: number = layoutVersion) {
    this.root = root;
    this.written = written;
  }

  /** The node that stands while a copy or a restore into this store has not ended. */
  get incomplete(): string {
    return `${this.root}/incomplete`;
  }

  /** The node that holds the version of the layout. */
  get version(): string {
    return `${this.root}/layout`;
  }

  /** The node that holds the store's term, see `fenceOf`. */
  get term(): string {
    return `${this.root}/term`;
  }

  /** The node that holds the cloud's secret. */
  get secret(): string {
    return `${this.root}/secret`;
  }

  /** Folder of the marks of transactions. */
  get transactions(): string {
    return `${this.root}/transactions`;
  }

  /** A counter of deletions, see `DeletionCounts`. */
  deletions(counter: number): string {
    return `${this.root}/deletions/${counter}`;
  }

  /** Folder of all documents. */
  get objects(): string {
    return `${this.root}/objects`;
  }

  /** Folder of a kind's documents. */
  kind(kind: Kind): string {
    return `${this.objects}/${MODEL_REGISTRY[kind].plural}`;
  }

  /** An object's document. */
  object(kind: Kind, id: Id): string {
    return `${this.kind(kind)}/${escapeName(id)}`;
  }

  /** Folder of a kind's names. */
  names(kind: Kind): string {
    return `${this.root}/names/${MODEL_REGISTRY[kind].plural}`;
  }

  /** The node that holds who has a name. */
  name({ kind, tenant, name }: NameQuery): string {
    return `${this.names(kind)}/${escapeName(tenant)},${escapeName(name)}`;
  }

  /** Folder of all replicated maps. */
  get maps(): string {
    return `${this.root}/maps`;
  }

  /** The node of a replicated map. `parts` tell apart several maps of one object, such as one per VLAN. */
  map(owner: { readonly kind: string; readonly id: string }, name: string, parts: readonly string[] = []): string {
    return [this.maps, ...[owner.kind, owner.id, name, ...parts].map(escapeName)].join("/");
  }

  /** Folder of all state keys; of those of a kind; of one fact of all objects of a kind; or one key. */
  state(...parts: readonly [kind?: string, name?: string, id?: string]): string {
    return [`${this.root}/state`, ...parts.filter((part) => part !== undefined).map(escapeName)].join("/");
  }

  /** Folder of a lock. */
  lock(name: string): string {
    return `${this.root}/locks/${escapeName(name)}`;
  }

  /** Folder of an election. */
  election(name: string): string {
    return `${this.root}/elections/${escapeName(name)}`;
  }

  /** Folder of the owners of a service's objects. */
  owners(service: string): string {
    return `${this.root}/owners/${escapeName(service)}`;
  }

  /** Folder of the port blocks of one address of a device. */
  portBlocks(device: Id, address: string): string {
    return `${this.root}/nat/${escapeName(device)}/${escapeName(address)}`;
  }
}

/**
 * Any text as (a part of) a node's name: what would end a part (`,` and `/`), the escape sign and what ZooKeeper refuses in
 * names is percent-encoded as UTF-8. Everything else stays readable.
 */
export function escapeName(text: string): string {
  const escaped = text.replace(unsafe, (character) =>
    [...encoder.encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
  return escaped === "." || escaped === ".." ? escaped.replaceAll(".", "%2E") : escaped;
}

/** The text behind an escaped name, or undefined when it is none. */
export function unescapeName(name: string): string | undefined {
  if (!name.includes("%")) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();
const unsafe = /[%,/\p{Cc}\p{Cs}\p{Co}\ufff0-\uffff\u{10000}-\u{10ffff}]/gu;
