import { configHelp, readConfig } from "../base/config.ts";
import type { Log } from "../base/log.ts";
import { CounterSum } from "../base/metrics.ts";
import { onStop } from "../base/parent.ts";
import { ProcessLog } from "../base/process-log.ts";
import { releaseOf } from "../base/release.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { clientSettings } from "../zookeeper/client-settings.ts";
import { openZooKeeper } from "../zookeeper/connect.ts";
import { zookeeperCatalogue } from "../zookeeper/counters.ts";
import { askServer } from "../zookeeper/server-status.ts";
import type { TlsOptions } from "../zookeeper/transport.ts";
import { API_CONFIG, listenAddresses } from "./config.ts";
import type { StoreServerAnswer } from "./doctor/store-checks.ts";
import { AGENT_DEADLINE_MS } from "./limits.ts";
import { startApi } from "./start.ts";
import { readToken } from "./token.ts";

/** Exit code of a configuration that cannot be used (EX_CONFIG of sysexits). */
const EXIT_CONFIG = 78;
/** Exit code when the server cannot start. */
const EXIT_FAILED = 1;

const help = `weft api: the REST API of a cloud, /v1 over the store.

Usage: weft api [--socket PATH] [--listen 127.0.0.1:8181] [--store unix:/path]
Example: weft api --socket /run/weft/api.sock --store unix:/var/lib/weft/store/store.sock

${configHelp(API_CONFIG)}`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const config = readConfig(API_CONFIG, { args, env: process.env });
  if (!config.ok) return complain(config.error.map(({ text }) => text).join("\n"), EXIT_CONFIG);
  const { values } = config.value;
  const listen = listenAddresses(values);
  if (!listen.ok) return complain(listen.error, EXIT_CONFIG);
  const token = readToken(values["token-file"]);
  if (!token.ok) return complain(token.error, EXIT_CONFIG);
  const processLog = new ProcessLog({ level: values["log.level"], process: "api", scheduler: systemScheduler });
  const { log } = processLog;
  processLog.hide(token.value);
  const settings = clientSettings(values, (secret) => processLog.hide(secret));
  if (!settings.ok) return complain(settings.error, EXIT_CONFIG);
  const storeCounters = new CounterSum(zookeeperCatalogue);
  const running = await startApi({
    listen: listen.value,
    token: token.value,
    metricsListen: values["metrics-listen"],
    storeCounters,
    logLines: () => processLog.counts,
    support: () => ({ config: [...config.value.lines], log: [...processLog.tail] }),
    askServers: () => Promise.all(values.store.map((server) => askOne(server, settings.value.tls))),
    agentDeadlineMs: values["agent-deadline"],
    scheduler: systemScheduler,
    log,
    connect() {
      const client = openZooKeeper({ ...settings.value, log });
      if (client.ok) {
        storeCounters.follow(client.value.counters);
        return client.value;
      }
      throw new Error(`store: ${JSON.stringify(client.error)}`);
    },
  });
  if (!running.ok) return complain(running.error, EXIT_FAILED);
  for (const address of running.value.addresses) process.stdout.write(`listening ${address}\n`);
  processLog.endOnCrash();
  log.info("api.listening", { release: releaseOf(), addresses: running.value.addresses.join(" ") });
  await stopRequest(log);
  await running.value.stop();
  return 0;
}

async function askOne(server: string, tls: TlsOptions | undefined): Promise<StoreServerAnswer> {
  const answer = await askServer(server, { scheduler: systemScheduler, tls, withinMs: AGENT_DEADLINE_MS });
  return answer.ok ? { server, ...answer.value } : { server, mode: undefined, why: answer.error };
}

function stopRequest(log: Log): Promise<void> {
  return new Promise((resolve) => {
    onStop(systemScheduler.clock, (reason, isRepeated) => {
      log.info("api.stopping", { reason });
      if (isRepeated) process.exit(EXIT_FAILED);
      resolve();
    });
  });
}

function complain(sentence: string, code: number): number {
  process.stderr.write(`weft api: ${sentence.replaceAll("\n", "\nweft api: ")}\n`);
  return code;
}

process.exit(await main(process.argv.slice(2)));
