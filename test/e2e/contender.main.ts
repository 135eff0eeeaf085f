/**
 * A process that contends for what one at a time may have, for tests that stop it where it stands. It speaks with its parent
 * line by line: `want KIND`, `claims`, `decide` (it looks at what it has, and decides to write) and `write` (it writes what it has
 * decided, without another look: the worst that a process can do that stood still in between).
 */
import { createInterface } from "node:readline";
import { contenders } from "../property/contenders.ts";
import type { Claim } from "../property/hold-recorder.ts";
import { RealProcess } from "./real-process.ts";

/** A claim as a line carries it. */
export interface ClaimLine {
  readonly kind: string;
  readonly what: string;
  readonly fence: string;
}

/** An answer: what the process has, or what it writes. */
export interface ContenderAnswer {
  readonly to: string;
  readonly claims: readonly ClaimLine[];
}

const [number = "0", chroot = "/", ...servers] = process.argv.slice(2);
const connected = new RealProcess({ servers, chroot });
const all = Object.entries(contenders).map(
  ([kind, contender]) => [kind, contender(connected, Number(number))] as const,
);
let decided: readonly ClaimLine[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  for (const [kind, contender] of all) if (line === `want ${kind}`) contender.do("want");
  if (line === "decide") decided = claims();
  answer({ to: line, claims: line === "write" ? decided : claims() });
}
process.exit(0);

function claims(): readonly ClaimLine[] {
  const line = (kind: string, { what, fence }: Claim): ClaimLine => ({ kind, what, fence: String(fence) });
  return all.flatMap(([kind, contender]) => contender.claims().map((claim) => line(kind, claim)));
}

function answer(said: ContenderAnswer): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
