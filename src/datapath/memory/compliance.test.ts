import { datapathSuite } from "../compliance/suite.ts";
import { memoryRig } from "./memory-rig.ts";

datapathSuite("memory", { lacks: {}, make: () => Promise.resolve(memoryRig()) });
datapathSuite("memory (tunnels over IPv6)", {
  lacks: {},
  only: ["tunnels"],
  make: () => Promise.resolve(memoryRig(6)),
});
