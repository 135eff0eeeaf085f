import assert from "node:assert/strict";
import type { Result } from "../../base/result.ts";
import type { Tree } from "../tree.ts";

/** The value of a result that must have succeeded. */
export function value<T, E>(result: Result<T, E>): T {
  assert.ok(result.ok, `expected success, got ${result.ok ? "" : printed(result.error)}`);
  return result.value;
}

/** The error of a result that must have failed. */
export function failure<T, E>(result: Result<T, E>): E {
  assert.ok(!result.ok, `expected a failure, got ${result.ok ? printed(result.value) : ""}`);
  return result.error;
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Resolves when a session is in a state. */
export function stateReached(tree: Tree, state: Tree["session"]["state"]): Promise<void> {
  return new Promise((resolve) => {
    if (tree.session.state === state) return resolve();
    tree.session.onState((reached) => {
      if (reached === state) resolve();
    });
  });
}

/** Something that tests wait for: `wake` has every waiting condition looked at again. The test's time limit ends a wait. */
export class Waiting {
  readonly #waiting = new Set<() => void>();

  /** Looks at all conditions again. */
  wake(): void {
    for (const resolve of [...this.#waiting]) resolve();
  }

  /** Resolves when the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        const once = (): void => {
          this.#waiting.delete(once);
          resolve();
        };
        this.#waiting.add(once);
      });
    }
  }
}

function printed(item: unknown): string {
  return JSON.stringify(item, (_, part) => (typeof part === "bigint" ? `${part}n` : part));
}
