import { spawnSync } from "node:child_process";
import { mainOf } from "../base/entry.ts";
import { sudoUser } from "./lab-file.ts";

/** A user of this machine. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** User and group of Debian that own nothing: nobody, nogroup. */
const nobody: User = { uid: 65_534, gid: 65_534 };

/**
 * The user that store and API run as: only agents need root. The one behind sudo, else nobody. Undefined when that user
 * cannot run this clone, as one that lies in root's home.
 */
export function servingUser(): User | undefined {
  const user = sudoUser() ?? nobody;
  return process.getuid?.() === 0 && canRun(user) ? user : undefined;
}

/** Asked by doing it: folders, mount options and security modules all have their say. */
function canRun({ uid, gid }: User): boolean {
  const reading = `require("node:fs").accessSync(${JSON.stringify(mainOf("api"))}, 4)`;
  const { status } = spawnSync(process.execPath, ["-e", reading], { uid, gid, stdio: "ignore", env: {} });
  return status === 0;
}
