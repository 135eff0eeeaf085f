import { unwrap } from "../../base/result.ts";
import type { RecipeServer } from "../../store/compliance/recipe-suite.ts";
import type { TreeServer } from "../../store/compliance/tree-bench.ts";
import type { Tree } from "../../store/tree.ts";
import type { ZooKeeperClient } from "../client.ts";
import { type ConnectOptions, connectZooKeeper, openZooKeeper } from "../connect.ts";
import { socketDial } from "../transport.ts";
import { FaultyDial } from "./faulty-dial.ts";

/** What a server under test adds to its clients. */
export interface ServerUnderTest {
  /** How a client reaches it. */
  readonly options: Pick<ConnectOptions, "servers" | "auth" | "chroot" | "isPrivate">;
  sweep?(): Promise<void>;
  stop(): Promise<void>;
}

/** Any server that speaks the protocol, reached by our client, as the tree's compliance suite wants it. */
export function clientTreeServer(
  { options, sweep, stop }: ServerUnderTest,
  dials: WeakMap<Tree, FaultyDial> = new WeakMap(),
): TreeServer {
  const faults = (tree: Tree): FaultyDial => dials.get(tree) as FaultyDial;
  return {
    async connect(wanted = {}) {
      const dial = new FaultyDial(socketDial());
      const tree = unwrap(await connectZooKeeper({ ...options, ...wanted, dial: dial.dial }));
      dials.set(tree, dial);
      return tree;
    },
    async disconnect(tree) {
      faults(tree).disconnect();
    },
    async loseNext(tree, fate) {
      faults(tree).loseNext(fate);
    },
    /** Somebody else takes the session over and closes it: to its owner it has expired. */
    async expire(tree) {
      const owner = tree as ZooKeeperClient;
      faults(tree).hold();
      faults(tree).disconnect();
      const thief = unwrap(await connectZooKeeper({ ...options, resume: owner.exportSession() }));
      await thief.close();
      faults(tree).release();
    },
    ...(sweep && { sweep }),
    stop,
  };
}

/** The same for the suite of the recipes, whose sessions open without waiting. */
export function clientRecipeServer(server: ServerUnderTest): RecipeServer {
  const dials = new WeakMap<Tree, FaultyDial>();
  const connect = (): Tree => {
    const dial = new FaultyDial(socketDial());
    const tree = unwrap(openZooKeeper({ ...server.options, dial: dial.dial }));
    dials.set(tree, dial);
    return tree;
  };
  return { ...clientTreeServer(server, dials), connect };
}
