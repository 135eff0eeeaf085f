import { unreachable } from "../../base/assert.ts";
import type { Duration, Instant } from "../../base/clock.ts";
import type { PortActive } from "./control-events.ts";
import { UNHEARD_MS } from "./limits.ts";

/**
 * MAY I FORWARD TO A PORT OF ANOTHER HOST? Two facts decide (decisions.md 6). The store's `active` key says who owns the port; it goes
 * with its owner's session. Keep-alives say whether that host's datapath answers.
 *
 *   confirmed    the key says that the host serves the port
 *   unconfirmed  the key has vanished by itself while the host answered: its session is lost, its ports forward. Keeps on, until
 *                the host is silent, somebody says otherwise, or the time for it is over; also across a restart of our agent
 *   none         nobody serves it: never published, withdrawn on purpose, or session and host are both gone
 *
 * Who owns the port is never decided here: a new binding or key always wins at once.
 */
export type Ownership =
  | { readonly kind: "none" }
  | { readonly kind: "confirmed"; readonly active: PortActive }
  | {
      readonly kind: "unconfirmed";
      readonly active: PortActive;
      /** Wall-clock time, for people; it may jump. */
      readonly since: Instant;
      /** How long it has been so. */
      readonly lasted: Duration;
      /** We have not heard of its host since we began; for so long. An earlier agent of ours had. */
      readonly unheard?: Duration;
    };

/** What an earlier agent of this host knew of a port whose key is not there any more, and for how long it was unconfirmed then. */
export interface MissedActive {
  readonly active: PortActive;
  readonly since?: Instant;
  readonly lasted: Duration;
}

/** What happens to a port's ownership. */
export type OwnershipEvent =
  /** The key is there, with this content. */
  | { readonly kind: "published"; readonly active: PortActive }
  /** The key says that the port is not forwarded for any more. */
  | { readonly kind: "withdrawn" }
  /** The key is gone. */
  | { readonly kind: "vanished" }
  /** The key was there when an earlier agent of this host looked, and is gone. */
  | ({ readonly kind: "missed" } & MissedActive)
  /** The host does not answer any more. */
  | { readonly kind: "host-dead" }
  /** So much time has passed since the last such event. */
  | { readonly kind: "time"; readonly elapsed: Duration };

/** Whether the owner's datapath answers, as last heard. */
export type HostLife = "unknown" | "alive" | "dead";

/** What the rule looks at beside the event. */
export interface OwnershipView {
  readonly now: Instant;
  /** Life of the host that the ownership names. */
  readonly life: HostLife;
  /** How long an owner may stay unconfirmed. */
  readonly limitMs: Duration;
}

/** Nobody serves the port. */
export const NO_OWNER: Ownership = { kind: "none" };

/** The ownership after an event. */
export function nextOwnership(ownership: Ownership, event: OwnershipEvent, view: OwnershipView): Ownership {
  switch (event.kind) {
    case "published":
      return { kind: "confirmed", active: event.active };
    case "withdrawn":
      return NO_OWNER;
    case "vanished":
      if (ownership.kind !== "confirmed") return ownership;
      if (view.life !== "alive") return NO_OWNER;
      return { kind: "unconfirmed", active: ownership.active, since: view.now, lasted: 0 };
    case "missed":
      return ownership.kind === "unconfirmed" ? ownership : missed(event, view);
    case "host-dead":
      return ownership.kind === "unconfirmed" ? NO_OWNER : ownership;
    case "time":
      return ownership.kind === "unconfirmed" ? agedBy(event.elapsed, ownership, view) : ownership;
    default:
      return unreachable(event);
  }
}

function agedBy(
  elapsed: Duration,
  ownership: Ownership & { readonly kind: "unconfirmed" },
  { life, limitMs }: OwnershipView,
): Ownership {
  const { unheard: unheardBefore, ...rest } = ownership;
  const lasted = ownership.lasted + elapsed;
  const unheard = unheardBefore === undefined || life === "alive" ? undefined : unheardBefore + elapsed;
  if (lasted >= limitMs || (unheard !== undefined && unheard >= UNHEARD_MS)) return NO_OWNER;
  return { ...rest, lasted, ...(unheard !== undefined && { unheard }) };
}

/** Its host has some time to be heard of: whoever begins has heard of nobody. */
function missed({ active, since, lasted }: MissedActive, { now, life, limitMs }: OwnershipView): Ownership {
  if (life === "dead" || lasted >= limitMs) return NO_OWNER;
  return { kind: "unconfirmed", active, since: since ?? now, lasted, ...(life !== "alive" && { unheard: 0 }) };
}

/** Whether frames for the port may be sent to the host of a binding: its owner is that of this very binding, and not dead. */
export function mayForward(
  ownership: Ownership,
  binding: { readonly hostId: string; readonly generation: number },
  life: HostLife,
): boolean {
  if (ownership.kind === "none" || life === "dead") return false;
  const { hostId, generation } = ownership.active;
  return hostId === binding.hostId && generation === binding.generation;
}
