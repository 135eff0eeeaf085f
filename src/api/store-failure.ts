import { type ApiError, apiError, apiErrorOf } from "../api-schema/errors.ts";
import { unreachable } from "../base/assert.ts";
import type { ObjectRef } from "../model/model-error.ts";
import type { StoreError } from "../store/recipes/store-error.ts";

/** What a failure of the store is to a client. */
export function apiErrorOfStore(failure: StoreError): ApiError {
  switch (failure.kind) {
    case "invalid":
      return apiErrorOf(failure.errors);
    case "not-found":
      return apiError("not-found", { object: name(failure.object) });
    case "already-exists":
      return apiError("id-taken", { object: name(failure.object), field: "id" });
    case "version-conflict": {
      const expected = `version ${failure.actual}, as it is; the request says ${failure.expected}`;
      return apiError("version-mismatch", { object: name(failure.object), expected });
    }
    case "in-use":
      return apiError("in-use", {
        object: name(failure.object),
        expected: `no ${failure.field} of ${name(failure.by)} on it`,
      });
    case "damaged":
      return apiErrorOf([failure.error]);
    case "too-large":
      return apiError("too-many", {
        expected: `at most ${failure.limit} ${failure.what} in one change, not ${failure.size}`,
      });
    case "busy":
      return apiError("conflict", { expected: `one of ${failure.attempts} attempts to succeed` });
    case "held":
      return apiError("conflict", { object: failure.path });
    case "outcome-unknown":
      return apiError("outcome-unknown");
    case "store-unavailable":
      return apiError("store-unavailable", { expected: `a connection (${failure.why})` });
    case "no-auth":
      return apiError("store-denied", { expected: `the right to use ${failure.path}` });
    case "layout-newer": {
      const expected = `layout ${failure.supported} or older, not ${failure.found}`;
      return apiError("newer-document", { expected });
    }
    case "layout-older": {
      const expected = `layout ${failure.supported}, not ${failure.found}: run weft store migrate`;
      return apiError("store-unavailable", { expected });
    }
    case "layout-gone":
      return apiError("store-unavailable", { expected: `a whole store (${failure.why})` });
    default:
      return unreachable(failure);
  }
}

function name(object: ObjectRef): string {
  return `${object.kind} ${object.id}`;
}
