import { dirname } from "node:path";
import { checkAll, format } from "./tidy/check-all.ts";

const violations = await checkAll(dirname(import.meta.dirname));
if (violations.length > 0) process.stdout.write(`${format(violations)}\n`);
process.exitCode = violations.length === 0 ? 0 : 1;
