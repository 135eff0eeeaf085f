import { pathLengthMax } from "./limits.ts";

/** Why a path is refused, or undefined for a good one. ZooKeeper's rules (PathUtils), plus a limit of length. */
export function pathFault(path: string): string | undefined {
  if (path === "/") return undefined;
  if (!path.startsWith("/")) return "a path starts with /";
  if (path.endsWith("/")) return "a path does not end with /";
  if (path.length > pathLengthMax) return `a path has at most ${pathLengthMax} characters`;
  if (badCharacter.test(path)) return "a path has no control, surrogate or private-use character";
  if (path.includes("//")) return "a path has no empty name";
  if (relativeName.test(path)) return "a path has no name . or ..";
  return undefined;
}

// Control characters are what this expression is for.
// biome-ignore lint/suspicious/noControlCharactersInRegex: ZooKeeper refuses exactly these
const badCharacter = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;
const relativeName = /\/\.\.?(\/|$)/;

/** The parent's path; `/` for a child of the root. The root has no parent and must not be asked. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The last name of a path; empty for the root. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A path under `parent`. */
export function childOf(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** ZooKeeper's sequence number as text: ten digits, a minus sign in front after 2^31 children. */
export function sequenceText(sequence: number): string {
  return sequence < 0 ? `-${String(-sequence).padStart(9, "0")}` : String(sequence).padStart(10, "0");
}

/** Whether a path is `top` or below it. */
export function isAtOrUnder(path: string, top: string): boolean {
  return path === top || path.startsWith(top === "/" ? "/" : `${top}/`);
}
