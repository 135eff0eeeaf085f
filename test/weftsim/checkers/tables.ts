import type { SimCloud } from "../../../src/weftsim/cloud.ts";

/** Hosts that have a map open agree on every winner in it, and every worker has reached its host's version of the world. */
export function tableProblems(cloud: SimCloud): readonly string[] {
  const problems: string[] = [];
  const seen = new Map<string, { readonly host: string; readonly lines: string }>();
  for (const host of cloud.hosts.values()) {
    if (host.isDead) continue;
    const agent = host.running;
    for (const [worker, { reached }] of agent.workers.entries()) {
      if (reached !== agent.core.version)
        problems.push(`${host.spec.name}.${worker} is at version ${reached} of ${agent.core.version}`);
    }
    for (const [map, lines] of agent.mapLines()) {
      const text = lines.join("\n");
      const other = seen.get(map);
      if (other === undefined) seen.set(map, { host: host.spec.name, lines: text });
      else if (other.lines !== text)
        problems.push(`map ${map} differs: ${other.host} has ${other.lines}; ${host.spec.name} has ${text}`);
    }
  }
  return problems;
}
