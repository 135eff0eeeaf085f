import type { Finding, FindingLevel } from "../api-schema/doctor-resource.ts";
import type { ExitName } from "./exit-code.ts";

/** A finding and who made it: a host's name, or empty for the cloud as a whole. */
export interface ToldFinding extends Finding {
  readonly from: string;
}

const MARKS: Readonly<Record<FindingLevel, string>> = { failure: "✗", warning: "!", ok: "✓" };
const ORDER: readonly FindingLevel[] = ["failure", "warning", "ok"];

/** Findings as people read them: the worst first, what is well only when it is wanted, and a line that counts. */
export function doctorText(findings: readonly ToldFinding[], showsAll: boolean): readonly string[] {
  const count = (level: FindingLevel): number => findings.filter((one) => one.level === level).length;
  const lines = ORDER.flatMap((level) => {
    if (level === "ok" && !showsAll) return [];
    return findings.filter((one) => one.level === level).flatMap(findingLines);
  });
  const counted = `${plural(count("failure"), "failure")}, ${plural(count("warning"), "warning")}, ${count("ok")} well`;
  const hint = showsAll || count("ok") === 0 ? "" : " (--all shows them)";
  return [...lines, `${counted}${hint}`];
}

/** How the command ends. */
export function doctorExit(findings: readonly Finding[]): ExitName {
  if (findings.some(({ level }) => level === "failure")) return "failures";
  return findings.some(({ level }) => level === "warning") ? "warnings" : "done";
}

function findingLines({ check, level, subject, found, remedy, from }: ToldFinding): readonly string[] {
  const where = from === "" ? "" : `${from}: `;
  const head = `${MARKS[level]} ${check.padEnd(14)} ${where}${subject}: ${found}`;
  return remedy === undefined || level === "ok" ? [head] : [head, `${" ".repeat(17)}→ ${remedy}`];
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
