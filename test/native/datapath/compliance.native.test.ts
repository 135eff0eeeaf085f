import { datapathSuite } from "../../../src/datapath/compliance/suite.ts";
import { VethRig } from "./veth-rig.ts";

datapathSuite("eBPF (real interfaces)", { lacks: {}, make: () => VethRig.open() });
datapathSuite("eBPF (tunnels over IPv6)", { lacks: {}, only: ["tunnels"], make: () => VethRig.open(6) });
