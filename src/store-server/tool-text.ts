import { formatStoreError, type StoreError } from "../store/recipes/store-error.ts";

/** A failure of the store as a sentence that says what to do. */
export function storeSentence(error: StoreError): string {
  switch (error.kind) {
    case "store-unavailable":
      return `the store cannot be reached or refuses: ${error.why}`;
    case "layout-newer":
      return `the store has layout ${error.found}, this release knows ${error.supported}: use the newer release`;
    case "layout-older":
      return `the store has layout ${error.found}, this release writes ${error.supported}: run weft store migrate`;
    case "layout-gone":
      return error.why;
    case "no-auth":
      return `${formatStoreError(error)} (copy: --from-store-secret-file, --to-store-secret-file)`;
    case "busy":
      return "others keep writing to the store: stop the API and other writers, then try again";
    case "outcome-unknown":
      return "the connection was lost at the last write: run it again, it finds out";
    default:
      return formatStoreError(error);
  }
}

/** A count with its noun: `1 node`, `12 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The first few of some paths as lines, and how many more there are. */
export function pathLines(sign: string, paths: readonly string[], most = 20): readonly string[] {
  const lines = paths.slice(0, most).map((path) => `  ${sign} ${path}`);
  return paths.length > most ? [...lines, `  ${sign} and ${paths.length - most} more`] : lines;
}
