import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { argumentsOf } from "./arguments.ts";
import { filesOf, TIERS } from "./test/tiers.ts";

argumentsOf(
  `npm run coverage: which lines of src/ the unit tier runs.

Usage: npm run coverage
Example: npm run coverage | less`,
  {},
);

/** Which lines of src/ the pure tiers run: a report to read, not a gate. */
const root = dirname(import.meta.dirname);
const unit = TIERS.filter(({ name }) => name === "unit");
const files = unit.flatMap((tier) => filesOf(tier, root, "src/"));
const options = [
  "--experimental-test-coverage",
  "--test-coverage-include=src/**",
  "--test-coverage-exclude=**/*.test.ts",
];
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-isolation=none",
    "--test-reporter=spec",
    ...options,
    ...files,
  ],
  { cwd: root, stdio: "inherit" },
);
process.exitCode = status ?? 1;
