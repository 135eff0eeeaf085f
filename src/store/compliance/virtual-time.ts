import { systemScheduler, type VirtualScheduler } from "../../base/scheduler.ts";

/** Lets everything that can run without time passing run: promises settle within one turn of the event loop. */
export function drain(): Promise<void> {
  return new Promise((resolve) => systemScheduler.soon(resolve));
}

/** Fires what is due until `span` has passed in virtual time, and leaves the clock there. */
export async function passTime(scheduler: VirtualScheduler, span: number): Promise<void> {
  const end = scheduler.clock.now() + span;
  await drain();
  for (let at = scheduler.nextAt(); at !== undefined && at <= end; at = scheduler.nextAt()) {
    scheduler.step();
    await drain();
  }
  scheduler.advanceTo(end);
}
