import { err, ok, type Result } from "../base/result.ts";
import type { CreateOptions, TreeOperation } from "../store/tree.ts";
import {
  type Acl,
  type CreateRequest,
  createFlag,
  errorCode,
  permission,
  type WriteOperation,
} from "../zookeeper/protocol.ts";

/** The tree's operation for a request of a client, or the code of its refusal. `isKnown`: the client showed credentials. */
export function operationOf(request: WriteOperation, isKnown: boolean): Result<TreeOperation, number> {
  switch (request.op) {
    case "setData":
      return ok({ op: "set", path: request.path, data: request.data, version: request.version });
    case "delete":
      return ok({ op: "remove", path: request.path, version: request.version });
    case "check":
      return ok({ op: "check", path: request.path, version: request.version });
    default:
      return createOf(request, isKnown);
  }
}

const modeOf: ReadonlyMap<number, CreateOptions["mode"]> = new Map([
  [createFlag.persistent, "persistent"],
  [createFlag.ephemeral, "ephemeral"],
  [createFlag.persistentSequential, "persistent-sequential"],
  [createFlag.ephemeralSequential, "ephemeral-sequential"],
  [createFlag.container, "container"],
  [createFlag.ttl, "persistent"],
  [createFlag.ttlSequential, "persistent-sequential"],
]);

function createOf(request: CreateRequest, isKnown: boolean): Result<TreeOperation, number> {
  const mode = modeOf.get(request.flags);
  const isTtl = request.flags === createFlag.ttl || request.flags === createFlag.ttlSequential;
  if (mode === undefined || isTtl !== (request.op === "createTtl")) return err(errorCode.badArguments);
  const fault = aclFault(request.acl, isKnown);
  if (fault !== undefined) return err(fault);
  const options = isTtl ? { mode, ttlMs: request.ttlMs } : { mode };
  return ok({ op: "create", path: request.path, data: request.data, options });
}

/**
 * This server has one circle of people who may do everything: who reaches the Unix socket or shows the secret. An access list
 * that means just that is accepted; any other would promise what nobody keeps, and is refused.
 */
export function aclFault(acl: readonly Acl[], isKnown: boolean): number | undefined {
  if (acl.length === 0) return errorCode.invalidAcl;
  const isEverybody = acl.some(
    ({ permissions, scheme, id }) =>
      (permissions & permission.all) === permission.all &&
      ((scheme === "world" && id === "anyone") || (isKnown && (scheme === "auth" || scheme === "digest"))),
  );
  return isEverybody ? undefined : errorCode.invalidAcl;
}
