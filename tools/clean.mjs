// Plain JavaScript that Node 18 can read: it removes the Node that would run it.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

if (process.argv.includes("--help")) {
  process.stdout.write(`npm run clean: removes what was made here: dist, build and node_modules.

Usage: npm run clean
Example: npm run clean && npm start
`);
  process.exit(0);
}
const root = dirname(dirname(fileURLToPath(import.meta.url)));
for (const made of ["dist", "build", "node_modules"]) rmSync(join(root, made), { recursive: true, force: true });
process.stdout.write("removed dist, build and node_modules; a lab that is up ends with: ./weft lab down\n");
