import { ApiClient, formatClientError } from "../api-client/client.ts";
import { parseHttpTarget } from "../api-client/http-json.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { livingLockOwner } from "../linux/flock.ts";
import { isAlive } from "../linux/process.ts";
import { livingLab } from "./exec.ts";
import { labLockPath, logFolder } from "./lab-file.ts";
import { removeLeftovers } from "./leftovers.ts";
import { DOWN_WITHIN_MS } from "./limits.ts";
import { planLab } from "./plan.ts";
import { inactiveVms } from "./tenant.ts";
import { until } from "./until.ts";

/** `weft lab status`: what is up, and whether it works. Exit code 0 only if all of it does. */
export async function runStatus(): Promise<number> {
  const lab = livingLab();
  if (!lab.ok) return complain(lab.error);
  const { id, pid, api, token, vms } = lab.value;
  console.log(`lab ${id}: process ${pid}, API ${api}, logs ${logFolder}`);
  const client = new ApiClient({ target: unwrap(parseHttpTarget(api)), token });
  const hosts = await client.listAll("host");
  const inactive = await inactiveVms(client, planLab(id));
  client.close();
  if (!hosts.ok) return complain(formatClientError(hosts.error));
  if (!inactive.ok) return complain(inactive.error);
  for (const { name, isAlive: lives } of hosts.value)
    console.log(`${name}  ${lives ? "agent alive" : "agent NOT alive"}`);
  for (const vm of vms) {
    const state = inactive.value.includes(vm.name) ? "NOT forwarded" : "forwarded";
    console.log(`${vm.name}  on ${vm.hostName}, bridge ${vm.bridgeName}, ${vm.v4} ${vm.v6}  ${state}`);
  }
  return hosts.value.every((host) => host.isAlive) && inactive.value.length === 0 ? 0 : 1;
}

/** `weft lab down`: stops the lab of this clone and waits until nothing is left; of a dead one removes the leftovers. */
export async function runDown(): Promise<number> {
  const owner = livingLockOwner(labLockPath);
  if (owner === undefined) {
    const removed = await removeLeftovers(systemScheduler);
    console.log(removed.length === 0 ? "no lab is up" : `removed what was left of lab ${removed.join(", ")}`);
    return 0;
  }
  try {
    process.kill(owner.pid, "SIGTERM");
  } catch {
    return complain(`process ${owner.pid} is not yours to stop: put sudo before the command`);
  }
  const gone = await until({ scheduler: systemScheduler, withinMs: DOWN_WITHIN_MS }, () =>
    isAlive(owner) ? undefined : true,
  );
  if (gone === undefined) return complain(`process ${owner.pid} still runs after ${DOWN_WITHIN_MS / 1_000} s`);
  console.log("the lab is down");
  return 0;
}

function complain(sentence: string): number {
  console.error(`weft lab: ${sentence}`);
  return 1;
}
