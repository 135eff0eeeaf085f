import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argumentsOf } from "./arguments.ts";
import { pages } from "./docs/pages.ts";

argumentsOf(
  `npm run docs: writes docs/reference/ anew, from what the sources say.

Usage: npm run docs
Example: npm run docs && git diff docs`,
  {},
);
const root = dirname(import.meta.dirname);
for (const [path, text] of await pages(root)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  process.stdout.write(`${path}\n`);
}
