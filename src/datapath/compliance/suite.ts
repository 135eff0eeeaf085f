import { after, before, beforeEach, describe, it } from "node:test";
import type { Case } from "./case.ts";
import { EXECUTE_CASES } from "./execute-cases.ts";
import { GROUP_CASES } from "./group-cases.ts";
import { KEEP_ALIVE_CASES } from "./keep-alive-cases.ts";
import { LIMIT_CASES } from "./limit-cases.ts";
import { LOOKUP_CASES } from "./lookup-cases.ts";
import { PARSE_CASES } from "./parse-cases.ts";
import { PORT_CASES, worldPorts } from "./port-cases.ts";
import { REWRITE_CASES } from "./rewrite-cases.ts";
import type { Ability, Rig } from "./rig.ts";
import { Scene } from "./scene.ts";
import { TUNNEL_CASES } from "./tunnel-cases.ts";
import { UPCALL_CASES } from "./upcall-cases.ts";
import { VLAN_CASES } from "./vlan-cases.ts";

const GROUPS = {
  "finding the flow": LOOKUP_CASES,
  parsing: PARSE_CASES,
  rewrites: REWRITE_CASES,
  "VLAN tags": VLAN_CASES,
  "length and life": LIMIT_CASES,
  tunnels: TUNNEL_CASES,
  "keep-alives": KEEP_ALIVE_CASES,
  floods: GROUP_CASES,
  upcalls: UPCALL_CASES,
  executing: EXECUTE_CASES,
  ports: PORT_CASES,
} satisfies Readonly<Record<string, readonly Case[]>>;

/** A chapter of the suite. */
export type GroupName = keyof typeof GROUPS;

/** How a rig is made, and what it will lack, which must be known before it is made. */
export interface RigKind {
  readonly lacks: Rig["lacks"];
  /** The chapters that are run; all unless given. */
  readonly only?: readonly GroupName[];
  make(): Promise<Rig>;
}

/**
 * What every datapath must do, frame by frame and byte by byte: the contract of `datapath.ts` and `flow/layout.ts` as tests. A driver
 * passes when its rig passes; cases that a rig cannot show are skipped with its reason.
 */
export function datapathSuite(name: string, kind: RigKind): void {
  describe(`${name} datapath`, () => {
    let scene: Scene;
    before(async () => {
      const rig = await kind.make();
      scene = new Scene(rig);
      await scene.setPorts(worldPorts(rig));
    });
    after(() => scene?.rig.close());
    beforeEach(() => scene.reset());
    for (const group of kind.only ?? (Object.keys(GROUPS) as GroupName[])) {
      describe(group, () => {
        for (const each of GROUPS[group] as readonly Case[]) {
          it(each.name, { skip: whyNot(kind.lacks, each.needs) }, async () => {
            await each.run(scene);
          });
        }
      });
    }
  });
}

function whyNot(lacks: Rig["lacks"], needs: readonly Ability[] = []): string | false {
  for (const ability of needs) {
    const reason = lacks[ability];
    if (reason !== undefined) return reason;
  }
  return false;
}
