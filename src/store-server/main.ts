import { systemClock } from "../base/clock.ts";
import { configHelp, readConfig } from "../base/config.ts";
import { openScraper } from "../base/metrics-server.ts";
import { onStop } from "../base/parent.ts";
import { ProcessLog } from "../base/process-log.ts";
import { ProcessMetrics } from "../base/process-metrics.ts";
import { releaseOf } from "../base/release.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { listenAddresses, storeServerSchema } from "./config.ts";
import { startStoreServer } from "./start.ts";
import { storeMetricsText } from "./store-metrics.ts";

/** Exit code of a configuration that cannot be used (EX_CONFIG of sysexits). */
const badConfig = 78;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(`weft store server: one node of ZooKeeper's protocol, durable.\n\n${configHelp(storeServerSchema)}`);
    return 0;
  }
  const config = readConfig(storeServerSchema, { args, env: process.env });
  if (!config.ok) return complain(config.error.map(({ text }) => text));
  const { values } = config.value;
  const listen = listenAddresses(values);
  if (!listen.ok) return complain([listen.error]);
  const level = values["log.level"];
  const processLog = new ProcessLog({ level, process: "store-server", scheduler: systemScheduler });
  const { log } = processLog;
  // What the store holds is nobody else's.
  process.umask(0o077);
  const stopped = Promise.withResolvers<number>();
  const running = await startStoreServer({
    folder: values["data-folder"],
    listen: listen.value,
    log,
    onBroken: (why) => {
      log.error("store.broken", { why });
      stopped.resolve(1);
    },
  });
  if (!running.ok) return complain([running.error], 1);
  processLog.hide(running.value.secret);
  processLog.endOnCrash();
  const logLines = (): typeof processLog.counts => processLog.counts;
  const name = { process: "store-server", release: releaseOf(), logLines };
  const processMetrics = new ProcessMetrics(systemScheduler, name);
  const text = (): string => storeMetricsText(running.value.server, processMetrics);
  const scraper = await openScraper(values["metrics-listen"], text);
  if (!scraper.ok) {
    await running.value.stop();
    return complain([scraper.error], 1);
  }
  if (scraper.value !== undefined) log.info("metrics.listening", { address: scraper.value.address });
  for (const address of running.value.addresses) console.log(`listening ${address}`);
  log.info("store.listening", {
    release: releaseOf(),
    addresses: running.value.addresses.join(" "),
    nodes: running.value.server.tree.nodes,
  });
  const forget = onStop(systemClock, (reason) => {
    log.info("store.stopping", { reason });
    stopped.resolve(0);
  });
  const code = await stopped.promise;
  forget();
  if (code === 0) await running.value.stop();
  return code;
}

function complain(sentences: readonly string[], code = badConfig): number {
  for (const sentence of sentences) console.error(`weft store server: ${sentence}`);
  return code;
}

process.exit(await main(process.argv.slice(2)));
