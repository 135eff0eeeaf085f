import { idField } from "../model/schema/fields.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import { textField } from "./field-schemas.ts";
import { answerOfHosts } from "./hosts-answer.ts";
import { METRICS_TEXT_MAX } from "./limits.ts";

const textOfMetrics = {
  type: "string",
  maxLength: METRICS_TEXT_MAX,
  description: "Text exposition format 0.0.4 of Prometheus; the families are in docs/reference/metrics.md",
} as const;

/** The metrics of one agent. */
export const agentMetrics = {
  type: "object",
  additionalProperties: false,
  required: ["text"],
  properties: { text: textOfMetrics },
} as const;

/** The metrics of one agent. */
export type AgentMetrics = FromSchema<typeof agentMetrics>;

/** Answer of GET /v1/metrics. */
export const metricsAnswer = answerOfHosts({
  type: "object",
  additionalProperties: false,
  required: ["process", "text"],
  properties: {
    process: { ...textField, description: "agent or api" },
    hostId: { ...idField, description: "Host of the agent" },
    text: textOfMetrics,
  },
});

/** Answer of GET /v1/metrics. */
export type MetricsAnswer = FromSchema<typeof metricsAnswer>;
