import { leaderOf } from "../../test/e2e/apache-roles.ts";
import { startApache } from "../../test/e2e/apache-zookeeper.ts";
import { needs } from "../../test/needs.ts";
import type { BenchGroup } from "../bench-group.ts";
import { measureMapUpdates } from "../ensemble/map-update.ts";
import { measureWriteResumes } from "../ensemble/write-resume.ts";
import { figureOf, type Rounds } from "../figure.ts";
import { raisePriority } from "../priority.ts";

/**
 * What the operator's page says for nodes with one or two processors. Few threads: the one that hears of a socket also reads and
 * writes it, the one that commits also applies. A heap of fixed size, mostly young and there from the start: some 100 KB of garbage
 * a change are collected once in thousands of changes, not in hundreds, and each collection holds up whoever waits for that server.
 * The first compiler only: the second one is at work for minutes. Both halves of the comparison have it.
 */
const java = [
  ...["-Dzookeeper.nio.numWorkerThreads=0", "-Dzookeeper.commitProcessor.numWorkerThreads=0"],
  ...["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms512m", "-Xmx512m", "-Xmn384m", "-XX:+AlwaysPreTouch"],
];

/** Three servers of Apache ZooKeeper on loopback: with every commit on disk at two of them. */
export const ensemble: BenchGroup = {
  name: "ensemble",
  figures: ["map_update_p99_ms", "map_update_p50_ms", "write_resume_s", "ensemble_election_s"],
  isNative: false,
  async run({ pace, progress }) {
    const missing = needs("java", "mvn");
    if (missing !== false) throw new Error(missing);
    progress("starting three servers of Apache ZooKeeper");
    const apache = await startApache(3, [], { java });
    try {
      for (const { pid } of apache.servers) if (pid !== undefined) raisePriority(pid);
      await leaderOf(apache.servers);
      progress("changes of a map of 10,000 entries with 10 subscribers");
      const updates = await measureMapUpdates({
        servers: apache.addresses,
        rounds: pace.mapRounds,
        changes: pace.mapChanges,
      });
      progress("killing leaders");
      const resumes = await measureWriteResumes(apache, pace.leaderKills);
      const beside = (values: readonly number[]): Rounds["rival"] & object => ({
        name: "one create, by the ensemble alone",
        values,
      });
      return [
        figureOf({ name: "map_update_p99_ms", unit: "ms", values: updates.p99, rival: beside(updates.commitP99) }),
        figureOf({ name: "map_update_p50_ms", unit: "ms", values: updates.p50, rival: beside(updates.commitP50) }),
        // The longest of all rounds: a limit is no median.
        figureOf({ name: "write_resume_s", unit: "s", values: [Math.max(...resumes.resume)] }),
        figureOf({ name: "ensemble_election_s", unit: "s", values: resumes.election }),
      ];
    } finally {
      await apache.stop();
    }
  },
};
