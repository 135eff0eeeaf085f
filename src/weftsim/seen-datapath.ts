import type { DatapathControl, LinkEvent } from "../datapath/datapath.ts";
import type { Lifetime } from "./lifetime.ts";

/** A host's datapath as one agent sees it: news of interfaces wait while it stands still, and end with it. */
export function seenDatapath<T extends DatapathControl>(datapath: T, life: Lifetime): T {
  const onLink = (listener: (event: LinkEvent) => void): void => {
    let held: typeof listener | undefined = listener;
    life.onEnd(() => {
      held = undefined;
    });
    datapath.onLink((event) => life.run(() => held?.(event)));
  };
  return new Proxy(datapath, {
    get: (target, name) => {
      if (name === "onLink") return onLink;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
