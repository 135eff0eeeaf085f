import { datapathSuite } from "../../../src/datapath/compliance/suite.ts";
import { PROGRAM_RIG_LACKS, ProgramRig } from "./program-rig.ts";

datapathSuite("eBPF (single runs)", { lacks: PROGRAM_RIG_LACKS, make: () => ProgramRig.open() });
