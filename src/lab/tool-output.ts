/** What `ping` counted. */
export interface PingSummary {
  readonly sent: number;
  readonly received: number;
  /** Round trips in milliseconds; undefined when nothing came back. */
  readonly minMs: number | undefined;
}

/** Reads the last lines of iputils' ping; undefined when they are not there. */
export function parsePing(output: string): PingSummary | undefined {
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
  if (sent === undefined || received === undefined) return undefined;
  const [, min] = /rtt min\/avg\/max\/mdev = ([\d.]+)\//.exec(output) ?? [];
  return { sent: Number(sent), received: Number(received), minMs: min === undefined ? undefined : Number(min) };
}

/** The hops that `traceroute -n` found, in order; `*` for one that did not answer. */
export function parseTraceroute(output: string): readonly string[] {
  return output.split("\n").flatMap((line) => {
    const [, hop] = /^\s*\d+\s+(\S+)/.exec(line) ?? [];
    return hop === undefined ? [] : [hop];
  });
}

/** What arrived, in bits a second, of `iperf3 --json`; undefined when it failed. */
export function parseIperf(output: string): number | undefined {
  try {
    const report = JSON.parse(output) as {
      readonly end?: { readonly sum_received?: { readonly bits_per_second?: number } };
    };
    const rate = report.end?.sum_received?.bits_per_second;
    return rate !== undefined && rate > 0 ? rate : undefined;
  } catch {
    return undefined;
  }
}

/** Parts of a walk as few lines of text as the width allows. */
export function wrapWalk(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length + 3 <= width) lines[lines.length - 1] = `${last} > ${part}`;
    else lines.push(last === undefined ? part : `> ${part}`);
  }
  return lines;
}
