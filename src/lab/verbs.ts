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
import { planLab, type VmPlan } from "./plan.ts";
import { inactiveVms } from "./tenant.ts";
import { until } from "./until.ts";

/** `weft lab status`: what is up, and whether it works. Exit code 0 only if all of it does. */
export async function runStatus(isJson: boolean): Promise<number> {
  const lab = livingLab();
  if (!lab.ok) return complain(lab.error, isJson);
  const { id, pid, api, token, vms } = lab.value;
  const client = new ApiClient({ target: unwrap(parseHttpTarget(api)), token });
  const hosts = await client.listAll("host");
  const inactive = await inactiveVms(client, planLab(id));
  client.close();
  if (!hosts.ok) return complain(formatClientError(hosts.error), isJson);
  if (!inactive.ok) return complain(inactive.error, isJson);
  const status = {
    ...{ id, pid, api, logs: logFolder },
    hosts: hosts.value.map((host) => ({ name: host.name, isAlive: host.isAlive })),
    vms: vms.map(({ name, hostName, bridgeName, v4, v6 }) => {
      return { name, hostName, bridgeName, v4, v6, isForwarded: !inactive.value.includes(name) };
    }),
  };
  if (isJson) console.log(JSON.stringify(status, undefined, 2));
  else tell(status);
  return hosts.value.every((host) => host.isAlive) && inactive.value.length === 0 ? 0 : 1;
}

/** What `weft lab status` says. */
interface LabStatus {
  readonly id: string;
  readonly pid: number;
  readonly api: string;
  readonly logs: string;
  readonly hosts: readonly { readonly name: string; readonly isAlive: boolean }[];
  readonly vms: readonly (Pick<VmPlan, "name" | "hostName" | "bridgeName" | "v4" | "v6"> & {
    readonly isForwarded: boolean;
  })[];
}

function tell({ id, pid, api, logs, hosts, vms }: LabStatus): void {
  console.log(`lab ${id}: process ${pid}, API ${api}, logs ${logs}`);
  for (const host of hosts) console.log(`${host.name}  ${host.isAlive ? "agent alive" : "agent NOT alive"}`);
  for (const vm of vms) {
    const state = vm.isForwarded ? "forwarded" : "NOT forwarded";
    console.log(`${vm.name}  on ${vm.hostName}, bridge ${vm.bridgeName}, ${vm.v4} ${vm.v6}  ${state}`);
  }
}

/** `weft lab down`: stops the lab of this clone and waits until nothing is left; of a dead one removes the leftovers. */
export async function runDown(isJson: boolean): Promise<number> {
  const owner = livingLockOwner(labLockPath);
  if (owner === undefined) {
    const removed = await removeLeftovers(systemScheduler);
    const sentence = removed.length === 0 ? "no lab is up" : `removed what was left of lab ${removed.join(", ")}`;
    console.log(isJson ? JSON.stringify({ stopped: [], removed }) : sentence);
    return 0;
  }
  try {
    process.kill(owner.pid, "SIGTERM");
  } catch {
    return complain(`process ${owner.pid} is not yours to stop: put sudo before the command`, isJson);
  }
  const gone = await until({ scheduler: systemScheduler, withinMs: DOWN_WITHIN_MS }, () =>
    isAlive(owner) ? undefined : true,
  );
  if (gone === undefined) return complain(`process ${owner.pid} still runs after ${DOWN_WITHIN_MS / 1_000} s`, isJson);
  console.log(isJson ? JSON.stringify({ stopped: [owner.pid], removed: [] }) : "the lab is down");
  return 0;
}

function complain(sentence: string, isJson: boolean): number {
  console.error(isJson ? JSON.stringify({ error: { message: sentence } }) : `weft lab: ${sentence}`);
  return 1;
}
