import { err, ok, type Result } from "../../base/result.ts";
import type { StoreConnection } from "./connection.ts";
import type { Layout } from "./layout.ts";
import { EMPTIED, mayMake } from "./open-layout.ts";
import { steadily, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

/** 32 hexadecimal digits: 16 bytes. */
const form = /^[0-9a-f]{32}$/;

/**
 * The secret that all hosts of a cloud share, 32 hexadecimal digits: what they tell each other beside the store is authenticated with
 * it. The first who asks writes `fresh`; from then on it stays as it is. In a store that was
 * emptied none is made. Whoever may read the store may know it.
 */
export async function clusterSecret(
  connection: StoreConnection,
  layout: Layout,
  fresh: string,
): Promise<Result<string, StoreError>> {
  const read = await readSecret(connection, layout);
  if (!read.ok || read.value !== undefined) return read as Result<string, StoreError>;
  if (!(await mayMake(connection))) return err(unavailable(EMPTIED));
  const data = new TextEncoder().encode(fresh);
  const written = await steadily(connection, (tree) => tree.create(layout.secret, data));
  if (!written.ok && written.error.kind !== "node-exists") return err(storeError(written.error));
  const now = await readSecret(connection, layout);
  if (!now.ok) return now;
  return now.value === undefined ? err(unavailable(`${layout.secret} was removed`)) : ok(now.value);
}

/** What to do about a secret that is none. */
const DAMAGED = "bring it back with weft store restore, or delete the node, and the agents make a new one";

async function readSecret(
  connection: StoreConnection,
  layout: Layout,
): Promise<Result<string | undefined, StoreError>> {
  const read = await steadily(connection, (tree) => tree.get(layout.secret));
  if (!read.ok) return read.error.kind === "no-node" ? ok(undefined) : err(storeError(read.error));
  const text = secretOf(read.value.data);
  return text === undefined
    ? err(unavailable(`${layout.secret} does not hold 32 hexadecimal digits: ${DAMAGED}`))
    : ok(text);
}

/** The secret that a node holds; undefined when it holds none. */
export function secretOf(data: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(data);
  return form.test(text) ? text : undefined;
}
