import { err, ok, type Result } from "../../base/result.ts";
import type { MultiError, Tree, TreeOperation } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { noConnection, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

/** What a commit came to. `conflict`: nothing happened, what it was based on has changed. `lost`: nothing happened, try again. */
export type CommitOutcome = "done" | "conflict" | "lost";

/** Marks removed along with one transaction at most: the number in flight before it, in practice. */
const marksPerCommitMax = 100;

/**
 * Writes multis whose outcome is known even when the connection breaks before the reply: each creates, with everything else, an
 * ephemeral node of its own. When the reply is lost, the node tells. A later transaction takes it away.
 */
export class CommitMarks {
  readonly #connection: StoreConnection;
  readonly #folder: string;
  #counter = 0;
  /** Marks of answered transactions, by the tree whose session owns them. */
  #settled: string[] = [];
  #settledOf: Tree | undefined;

  constructor(connection: StoreConnection, folder: string) {
    this.#connection = connection;
    this.#folder = folder;
  }

  /** Does the operations as one. */
  async commit(operations: readonly TreeOperation[]): Promise<Result<CommitOutcome, StoreError>> {
    if (!(await this.#connection.untilConnected(this.#connection.patience))) return err(noConnection(this.#connection));
    const { tree } = this.#connection;
    this.#counter += 1;
    const mark = `${this.#folder}/${tree.session.id.toString(16)}-${this.#connection.since}-${this.#counter}`;
    const old = this.#takeSettled(tree);
    const multi: TreeOperation[] = [
      ...operations,
      { op: "create", path: mark, data: new Uint8Array(0), options: { mode: "ephemeral" } },
      ...old.map((path): TreeOperation => ({ op: "remove", path })),
    ];
    const reply = await tree.multi(multi);
    if (reply.ok) this.#settle(tree, [mark]);
    // After a failure the marks may or may not be there: those that are go with the session.
    else if (isCertain(reply.error)) this.#settle(tree, old);
    if (reply.ok) return ok("done");
    // Somebody has removed marks of ours, as when a store is emptied: they are no reason to fail for ever.
    const isMarkGone = reply.error.error.kind === "no-node" && (reply.error.index ?? 0) > operations.length;
    if (isMarkGone) this.#settled = [];
    const outcome = await this.#judge(tree, mark, reply.error);
    if (outcome.ok && outcome.value === "lost") this.#settle(tree, old);
    return outcome;
  }

  async #judge(tree: Tree, mark: string, failure: MultiError): Promise<Result<CommitOutcome, StoreError>> {
    const { error } = failure;
    switch (error.kind) {
      case "bad-version":
      case "no-node":
      case "node-exists":
      case "not-empty":
        return ok("conflict");
      case "connection-loss":
        return this.#lookFor(tree, mark);
      case "session-expired":
        return err({ kind: "outcome-unknown" });
      case "closed":
        return err(unavailable("the store connection was closed"));
      default:
        return err(storeError(error));
    }
  }

  /** The reply was lost: the mark tells, as long as its session lives. */
  async #lookFor(tree: Tree, mark: string): Promise<Result<CommitOutcome, StoreError>> {
    const end = this.#connection.scheduler.clock.now() + this.#connection.patience;
    for (;;) {
      const left = end - this.#connection.scheduler.clock.now();
      if (left <= 0 || !(await this.#connection.untilConnected(left))) return err({ kind: "outcome-unknown" });
      if (this.#connection.tree !== tree) return err({ kind: "outcome-unknown" });
      const synced = await tree.sync(mark);
      const found = synced.ok ? await tree.exists(mark) : synced;
      if (found.ok) {
        if (found.value === undefined) return ok("lost");
        this.#settle(tree, [mark]);
        return ok("done");
      }
      if (found.error.kind !== "connection-loss") return err({ kind: "outcome-unknown" });
    }
  }

  #takeSettled(tree: Tree): readonly string[] {
    if (this.#settledOf !== tree) this.#settled = [];
    this.#settledOf = tree;
    return this.#settled.splice(0, marksPerCommitMax);
  }

  #settle(tree: Tree, marks: readonly string[]): void {
    if (this.#settledOf === tree) this.#settled.push(...marks);
  }
}

/** Whether the failure leaves no doubt that nothing was written. */
function isCertain({ error }: MultiError): boolean {
  return error.kind !== "connection-loss" && error.kind !== "session-expired" && error.kind !== "closed";
}
