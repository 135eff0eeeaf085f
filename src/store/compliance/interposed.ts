import type { Tree } from "../tree.ts";

/**
 * A tree in which something happens just before one of its calls is made, once: the narrowest race there is. Everything else
 * goes to the tree itself.
 */
export class Interposition {
  /** What the calls came to before which something happened. */
  readonly outcomes: unknown[] = [];
  #method: keyof Tree | undefined;
  #happen: () => Promise<void> = async () => undefined;

  /** Lets `happen` run to its end before the next call of `method`. */
  before(method: "multi" | "set" | "remove", happen: () => Promise<void>): void {
    this.#method = method;
    this.#happen = happen;
  }

  /** The tree with the interposition. */
  over(tree: Tree): Tree {
    return new Proxy(tree, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        const bound = member.bind(target) as (...args: unknown[]) => unknown;
        if (name !== this.#method) return bound;
        return async (...args: unknown[]) => {
          this.#method = undefined;
          await this.#happen();
          const outcome = await bound(...args);
          this.outcomes.push(outcome);
          return outcome;
        };
      },
    });
  }
}
