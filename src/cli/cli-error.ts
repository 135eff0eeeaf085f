import { type ClientError, formatClientError } from "../api-client/client.ts";
import type { ApiError } from "../api-schema/errors.ts";
import type { ExitName } from "./exit-code.ts";

/** Why a command failed: what to print, what to do about it, and how the process ends. */
export interface CliError {
  readonly exit: ExitName;
  readonly message: string;
  readonly remedy?: string;
  /** The API's own words, for `--json`. */
  readonly api?: ApiError;
}

/** A command line that makes no sense, with what would. */
export function usageError(message: string, remedy?: string): CliError {
  return { exit: "usage", message, ...(remedy === undefined ? {} : { remedy }) };
}

/** A failed call of the API. */
export function cliErrorOf(error: ClientError): CliError {
  const message = formatClientError(error);
  if (error.kind !== "refused") {
    return {
      exit: "unreachable",
      message,
      remedy: "start a lab with npm start, or name the API with --api or WEFT_API",
    };
  }
  const exit = error.error.code === "not-found" ? "notFound" : "refused";
  return { exit, message, remedy: error.error.remedy, api: error.error };
}
