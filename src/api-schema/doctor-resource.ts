import { idField } from "../model/schema/fields.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import type { CheckName } from "./doctor-checks.ts";
import { countField, textField } from "./field-schemas.ts";
import { answerOfHosts, missing } from "./hosts-answer.ts";
import { FINDINGS_MAX } from "./limits.ts";

/** How bad a finding is. `failure`: packets are lost or will be, or nobody can change anything; `warning`: look at it soon. */
export const FINDING_LEVELS = ["ok", "warning", "failure"] as const;

/** How bad a finding is. */
export type FindingLevel = (typeof FINDING_LEVELS)[number];

/** What a check of `weft doctor` found. */
export const finding = {
  type: "object",
  description: "What a check found",
  additionalProperties: false,
  required: ["check", "level", "subject", "found"],
  properties: {
    check: { ...textField, description: "Name from docs/reference/doctor.md" },
    level: { enum: FINDING_LEVELS },
    subject: { ...textField, description: "What was looked at" },
    found: { ...textField, description: "What was found" },
    remedy: { ...textField, description: "What to do; absent when all is well" },
  },
} as const;

/** What a check found. */
export interface Finding {
  readonly check: CheckName;
  readonly level: FindingLevel;
  readonly subject: string;
  readonly found: string;
  readonly remedy?: string;
}

/** What was looked at and what was found there. */
export interface Looked {
  readonly subject: string;
  readonly found: string;
}

/** All is well. */
export function well(check: CheckName, { subject, found }: Looked): Finding {
  return { check, level: "ok", subject, found };
}

/** Somebody should look at it soon. */
export function warning(check: CheckName, looked: Looked & { readonly remedy: string }): Finding {
  return { check, level: "warning", ...looked };
}

/** Packets are lost or will be, or nobody can change anything. */
export function failure(check: CheckName, looked: Looked & { readonly remedy: string }): Finding {
  return { check, level: "failure", ...looked };
}

/** What an agent found on its host, and what its clock says. */
export const agentDoctor = {
  type: "object",
  additionalProperties: false,
  required: ["wall", "findings"],
  properties: {
    wall: { ...countField, description: "Clock of the host, Unix milliseconds" },
    findings: { type: "array", items: finding, maxItems: FINDINGS_MAX },
  },
} as const;

/** What an agent found on its host. */
export interface AgentDoctor {
  readonly wall: number;
  readonly findings: readonly Finding[];
}

/** Answer of GET /v1/doctor. */
export const doctorAnswer = {
  type: "object",
  additionalProperties: false,
  required: ["findings", "missing"],
  properties: {
    findings: {
      type: "array",
      maxItems: FINDINGS_MAX,
      items: {
        ...finding,
        properties: { ...finding.properties, hostId: { ...idField, description: "Host whose agent looked" } },
      },
    },
    missing,
  },
} as const;

/** Answer of GET /v1/doctor. */
export interface DoctorAnswer {
  readonly findings: readonly (Finding & { readonly hostId?: string })[];
  readonly missing: FromSchema<typeof missing>;
}

const configLine = {
  type: "object",
  additionalProperties: false,
  required: ["key", "value", "origin", "from"],
  properties: { key: textField, value: textField, origin: textField, from: textField },
} as const;

/** What a process tells for a bundle: nothing of it is secret. */
export const supportPart = {
  type: "object",
  additionalProperties: false,
  required: ["process", "release", "node", "config", "log"],
  properties: {
    process: textField,
    release: textField,
    node: { ...textField, description: "Release of Node" },
    config: { type: "array", items: configLine, maxItems: 1_000, description: "Keys, values (secrets cut), origins" },
    log: { type: "array", items: textField, maxItems: 10_000, description: "The last lines of the log, oldest first" },
  },
} as const;

/** What a process tells for a bundle. */
export type SupportPart = FromSchema<typeof supportPart>;

/** Answer of GET /v1/support. */
export const supportAnswer = answerOfHosts({
  ...supportPart,
  properties: { ...supportPart.properties, hostId: idField },
});

/** Answer of GET /v1/support. */
export type SupportAnswer = FromSchema<typeof supportAnswer>;
