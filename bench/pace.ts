/** How long and how often a bench measures. */
export interface Pace {
  /** Rounds in which weft and its rival take turns: many short ones, because the speed of a shared machine drifts within a minute. */
  readonly rounds: number;
  /** Simulations a round. */
  readonly walks: number;
  readonly streamS: number;
  readonly connectS: number;
  readonly roundTrips: number;
  readonly firstPackets: number;
  /** New flows so far apart that each is one of its own. */
  readonly lonePackets: number;
  /** New flows are sent for so long when a rate is tried, and again when the best one must last. */
  readonly probeS: number;
  readonly sustainS: number;
  /** Topology changes whose way to the datapath is timed. */
  readonly changes: number;
  readonly starts: number;
  readonly memoryRounds: number;
  /** Rounds of changes of a replicated map, and changes in each. */
  readonly mapRounds: number;
  readonly mapChanges: number;
  readonly leaderKills: number;
  /** Hosts of the simulated cloud in which agents restart, and for how many virtual minutes. */
  readonly cloudHosts: number;
  readonly restartMinutes: number;
}

/** What is published: about ten minutes. */
export const fullPace: Pace = {
  rounds: 19,
  walks: 200_000,
  streamS: 1,
  connectS: 1,
  roundTrips: 10_000,
  firstPackets: 300,
  lonePackets: 30,
  probeS: 4,
  sustainS: 16,
  changes: 200,
  starts: 3,
  memoryRounds: 3,
  mapRounds: 5,
  mapChanges: 500,
  leaderKills: 6,
  cloudHosts: 1_000,
  restartMinutes: 60,
};

/** For work on the bench and for a first look: about two minutes. */
export const quickPace: Pace = {
  rounds: 3,
  walks: 50_000,
  streamS: 1,
  connectS: 1,
  roundTrips: 8_000,
  firstPackets: 200,
  lonePackets: 40,
  probeS: 2,
  sustainS: 4,
  changes: 40,
  starts: 1,
  memoryRounds: 1,
  mapRounds: 3,
  mapChanges: 200,
  leaderKills: 2,
  cloudHosts: 200,
  restartMinutes: 3,
};
