import { sudoUser } from "./lab-file.ts";
import type { VmPlan } from "./plan.ts";

/** The command that runs something in a VM, as a user pastes it at the root of the clone. */
export function inVm(vm: Pick<VmPlan, "name">, command: string): string {
  // Entering a namespace takes root, which the user behind sudo is not.
  return `${sudoUser() === undefined ? "" : "sudo "}./weft lab exec ${vm.name} -- ${command}`;
}

/** A command of the CLI, as a user pastes it at the root of the clone. */
export function weft(command: string): string {
  return `./weft ${command}`;
}
