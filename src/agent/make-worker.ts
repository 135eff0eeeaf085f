import type { Clock, Instant } from "../base/clock.ts";
import { Prng } from "../base/prng.ts";
import type { DatapathWorker } from "../datapath/datapath.ts";
import { Simulator } from "../sim/simulator.ts";
import { World } from "../sim/world.ts";
import { FDB_DEFAULTS, FdbLearner } from "../state/fdb.ts";
import { NeighborResolver } from "../state/neighbor-resolver.ts";
import type { FromWorker } from "./core/messages.ts";
import { WorkerCore } from "./core/worker.ts";
import type { WorkerStart } from "./worker-settings.ts";

/** What a worker core gets from its surroundings. */
export interface WorkerSurroundings {
  readonly datapath: DatapathWorker;
  readonly clock: Clock;
  send(message: FromWorker): void;
}

/** A worker core with its own world, resolver and learner: the same for a thread and for weftsim. */
export function makeWorker(start: WorkerStart, around: WorkerSurroundings): WorkerCore {
  const { clock, datapath } = around;
  const now: Instant = clock.now();
  const prng = new Prng(start.seed);
  const resolver = new NeighborResolver(start.neighbor, prng.fork());
  const fdb = new FdbLearner(FDB_DEFAULTS);
  const world = new World({ neighbors: resolver, fdb });
  const parts = {
    worker: start.worker,
    workers: start.workers,
    datapath,
    simulator: new Simulator(world),
    resolver,
    fdb,
    wallOffset: () => clock.wall() - clock.now(),
    isTakingOver: start.isTakingOver === true,
    auditFrom: prng.u32(),
    send: (message: FromWorker) => around.send(message),
  };
  return new WorkerCore(parts, now);
}
