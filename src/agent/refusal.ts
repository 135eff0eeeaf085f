import { formatModelError } from "../model/model-error.ts";
import { formatStoreError, type StoreError } from "../store/recipes/store-error.ts";
import { EXIT_CONFIG, EXIT_FAILED } from "./exit.ts";

/** Why an agent does not start. */
export interface Refusal {
  /** A sentence that says what to do. */
  readonly why: string;
  /** EXIT_CONFIG when it would be the same at the next attempt: nobody is to start it again by itself. */
  readonly exitCode: number;
}

/** A refusal that may be over at the next attempt, unless another exit code is given. */
export function refusal(why: string, exitCode = EXIT_FAILED): Refusal {
  return { why, exitCode };
}

/** What the store says, as a refusal. */
export function storeRefusal(error: StoreError): Refusal {
  switch (error.kind) {
    case "store-unavailable":
      return refusal(`the store cannot be reached (${error.why}): start it, or give its address with --store`);
    case "no-auth":
      return refusal(formatStoreError(error), EXIT_CONFIG);
    case "layout-newer":
      return refusal(`the store has layout ${error.found}, this agent knows ${error.supported}: upgrade the agent`);
    case "damaged": {
      const why = formatModelError(error.error);
      return refusal(`the document of this host in the store is damaged (${why}): repair or delete it`);
    }
    case "invalid":
      return refusal(
        `the store refuses to register this host: ${formatStoreError(error)}: correct --host-name or --host-id`,
      );
    case "layout-older":
    case "layout-gone":
      return refusal(formatStoreError(error));
    default:
      return refusal(`the store refuses to register this host: ${formatStoreError(error)}`);
  }
}
