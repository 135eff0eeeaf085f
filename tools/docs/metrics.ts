import { HOST_METRICS, PLAIN_WORKER_METRICS } from "../../src/agent/agent-metrics.ts";
import { datapathAuditMetrics } from "../../src/agent/datapath-audit.ts";
import { hostMemoryMetrics } from "../../src/agent/host-memory.ts";
import { REQUEST_METRICS } from "../../src/api/api-metrics.ts";
import { counterFamilies, type MetricSpecs } from "../../src/base/metric-family.ts";
import { PROCESS_METRICS } from "../../src/base/process-metrics.ts";
import { MAP_METRICS } from "../../src/store/recipes/map-metrics.ts";
import { replicatedMapMetrics } from "../../src/store/recipes/tree-replicated-map.ts";
import { STORE_CLIENT_METRICS } from "../../src/store/store-client-metrics.ts";
import { recyclerMetrics } from "../../src/store/upkeep/recycler-metrics.ts";
import { storeServerCatalogue } from "../../src/store-server/counters.ts";
import { STORE_STATE_METRICS } from "../../src/store-server/store-metrics.ts";
import { zookeeperCatalogue } from "../../src/zookeeper/counters.ts";

/** The catalogues of docs/reference/metrics.md, by who tells them. Together they are everything that any process tells. */
export const METRIC_SECTIONS: Readonly<Record<string, MetricSpecs>> = {
  "Every process": PROCESS_METRICS,
  "Agent and API: the session with the store": { ...STORE_CLIENT_METRICS, ...counterFamilies(zookeeperCatalogue) },
  "Agent: the host": {
    ...HOST_METRICS,
    ...counterFamilies(hostMemoryMetrics),
    ...counterFamilies(datapathAuditMetrics),
  },
  "Agent: simulation workers, added up": counterFamilies(PLAIN_WORKER_METRICS),
  "Agent: replicated maps": { ...MAP_METRICS, ...counterFamilies(replicatedMapMetrics) },
  API: { ...REQUEST_METRICS, ...counterFamilies(recyclerMetrics) },
  "Embedded store server": { ...STORE_STATE_METRICS, ...counterFamilies(storeServerCatalogue) },
};
