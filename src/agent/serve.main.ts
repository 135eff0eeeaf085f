import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { Config } from "../base/config.ts";
import type { Log } from "../base/log.ts";
import { makeFolder } from "../base/make-folder.ts";
import { CounterSum } from "../base/metrics.ts";
import { onStop } from "../base/parent.ts";
import { ProcessLog } from "../base/process-log.ts";
import { releaseOf } from "../base/release.ts";
import type { Result } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { clientSettings } from "../zookeeper/client-settings.ts";
import { openZooKeeper } from "../zookeeper/connect.ts";
import { zookeeperCatalogue } from "../zookeeper/counters.ts";
import type { Agent } from "./agent.ts";
import { type agentSchema, hostIdOf } from "./config.ts";
import type { Rights } from "./confine.main.ts";
import { EXIT_CONFIG, EXIT_FAILED, fail } from "./exit.ts";
import { managementOf } from "./management.ts";
import { datapathNeeds, warnOfLatency } from "./open-datapath.main.ts";
import { openMemory, readMemory } from "./open-memory.main.ts";
import { readHostFacts } from "./read-host-facts.main.ts";
import type { Refusal } from "./refusal.ts";
import { workerThreads } from "./worker-thread.ts";

/**
 * How much more than what lives the heap may hold before it is collected, in percent. V8's own choice is up to four times, which it
 * does not give back: after a thousand bindings that is 40 MB, and memory is for flows.
 */
const HEAP_GROWTH_PERCENT = 30;

/** Runs the agent until it is asked to stop. `rights`: what the process was left with, if something was taken. */
export async function serve(config: Config<typeof agentSchema>, rights: Rights | undefined): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const { values } = config;
  const host = hostIdOf(values);
  if (!host.ok) return fail(host.error, EXIT_CONFIG);
  const hostId = host.value;
  const level = values["log.level"];
  const processLog = new ProcessLog({ level, process: "agent", host: hostId, scheduler: systemScheduler });
  const { log } = processLog;
  const settings = clientSettings(values, (secret) => processLog.hide(secret));
  if (!settings.ok) return fail(settings.error, EXIT_CONFIG);
  const management = managementOf(values);
  if (!management.ok) return fail(management.error, EXIT_CONFIG);
  if (management.value !== undefined) processLog.hide(management.value.token);
  const ready = await datapathNeeds(values);
  if (!ready.ok) return fail(ready.error, EXIT_FAILED);
  if (rights !== undefined) log.info("agent.confined", { capabilities: rights.capabilities.join(" ") });
  const folder = makeFolder(dirname(values["api-socket"]));
  if (!folder.ok) return fail(`api-socket: ${folder.error}; give a path that can be written`, EXIT_CONFIG);
  const statePath = values["state-folder"] ?? `/var/lib/weft/agent/${hostId}`;
  const storeCounters = new CounterSum(zookeeperCatalogue);
  // What the threads load and what this one loads takes as long: side by side it is half of a restart.
  const threads = workerThreads(values.workers);
  await warnOfLatency(values, log);
  const { startAgent } = await import("./agent.ts");
  const starting = startAgent({
    hostId,
    threads,
    readMemory: () => readMemory(hostId, statePath),
    openMemory: () => openMemory({ hostId, path: statePath, scheduler: systemScheduler, log }),
    storeCounters,
    logLines: () => processLog.counts,
    readHost: readHostFacts,
    support: () => ({ config: [...config.lines], log: [...processLog.tail] }),
    hostName: values["host-name"] ?? hostname(),
    values,
    management: management.value,
    scheduler: systemScheduler,
    log,
    seed: randomBytes(4).readUInt32LE(),
    onHandedOver: () => void starting.then((agent) => endHandedOver(agent)),
    onFailure: (sentence) => void starting.then((agent) => giveUp(agent, sentence, log)),
    connect(ticket) {
      const client = openZooKeeper({ ...settings.value, log, ...(ticket && { resume: ticket }) });
      if (client.ok) {
        storeCounters.follow(client.value.counters);
        return client.value;
      }
      throw new Error(`store: ${JSON.stringify(client.error)}`);
    },
  });
  const started = await starting;
  if (!started.ok) return fail(started.error.why, started.error.exitCode);
  processLog.endOnCrash();
  log.info("agent.serving", { release: releaseOf(), socket: values["api-socket"], datapath: values.datapath });
  process.stdout.write(`serving unix:${values["api-socket"]}\n`);
  stopOnRequest(started.value, values.keep, log);
}

function stopOnRequest(agent: Agent, keep: boolean, log: Log): void {
  onStop(systemScheduler.clock, (reason, isRepeated) => {
    log.info("agent.stopping", { reason, keep });
    if (isRepeated) process.exit(EXIT_FAILED);
    void agent.stop({ keep }).then(() => process.exit(0));
  });
}

/** The next agent of this host has all: this one ends, when it has finished what it was at. */
async function endHandedOver(agent: Result<Agent, Refusal>): Promise<void> {
  if (agent.ok) await agent.value.handOver();
  process.exit(0);
}

/** The kernel keeps forwarding: whoever supervises the agent starts another, which takes the flows over. */
function giveUp(agent: Result<Agent, Refusal>, sentence: string, log: Log): void {
  log.error("agent.failed", { why: sentence });
  process.exitCode = EXIT_FAILED;
  if (agent.ok) void agent.value.stop({ keep: true }).then(() => process.exit(EXIT_FAILED));
}
