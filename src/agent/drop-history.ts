import type { DropLine } from "../api-schema/agent-api.ts";
import type { Duration, Instant } from "../base/clock.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import { DROP_LOOK_MS, DROP_LOOKS } from "./limits.ts";

interface Look {
  readonly at: Instant;
  readonly packets: ReadonlyMap<string, number>;
}

/** What was dropped lately: the counters only say since when the agent runs. */
export class DropHistory {
  readonly #scheduler: Scheduler;
  readonly #read: () => readonly DropLine[];
  readonly #looks: Look[] = [];
  #timer: Timer;

  constructor(scheduler: Scheduler, read: () => readonly DropLine[]) {
    this.#scheduler = scheduler;
    this.#read = read;
    this.#looks.push(this.#look(read()));
    this.#timer = scheduler.after(DROP_LOOK_MS, () => this.#again());
  }

  /** What was dropped since the oldest look that is kept, most first, and how long ago that was: about a minute. */
  recent(): { readonly drops: readonly DropLine[]; readonly spanMs: Duration } {
    const [oldest] = this.#looks;
    const before = oldest?.packets ?? new Map<string, number>();
    const drops = this.#read()
      .map((line) => ({ ...line, packets: line.packets - (before.get(idOf(line)) ?? 0) }))
      .filter(({ packets }) => packets > 0)
      .sort((a, b) => b.packets - a.packets);
    return { drops, spanMs: this.#scheduler.clock.now() - (oldest?.at ?? 0) };
  }

  /** Ends the looking. */
  close(): void {
    this.#timer.cancel();
  }

  #again(): void {
    this.#looks.push(this.#look(this.#read()));
    if (this.#looks.length > DROP_LOOKS) this.#looks.shift();
    this.#timer = this.#scheduler.after(DROP_LOOK_MS, () => this.#again());
  }

  #look(lines: readonly DropLine[]): Look {
    const packets = new Map(lines.map((line) => [idOf(line), line.packets]));
    return { at: this.#scheduler.clock.now(), packets };
  }
}

function idOf({ reason, portId }: DropLine): string {
  return `${reason} ${portId ?? ""}`;
}
