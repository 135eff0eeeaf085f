import { datapathSuite } from "../../../src/datapath/compliance/suite.ts";
import { VethRig } from "./veth-rig.ts";

datapathSuite("eBPF (real interfaces)", { lacks: {}, make: () => VethRig.open() });
