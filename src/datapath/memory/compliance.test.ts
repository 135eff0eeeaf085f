import { datapathSuite } from "../compliance/suite.ts";
import { memoryRig } from "./memory-rig.ts";

datapathSuite("memory", { lacks: {}, make: () => Promise.resolve(memoryRig()) });
