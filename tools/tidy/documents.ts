import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dropReasons, layoutConstants } from "../docs/catalogues.ts";
import { type LimitRow, limits } from "../docs/limits.ts";
import { type Pages, pages } from "../docs/pages.ts";
import { checkLayout, dropConstants } from "./layout.ts";
import type { Violation } from "./source.ts";

const layoutHeader = "bpf/layout.h";

/** Pages, C header and catalogues say what the code says. Needs the modules of src/ to load. */
export async function checkDocuments(root: string): Promise<readonly Violation[]> {
  const reasons = await dropReasons(root);
  const readText = (path: string): string | undefined => {
    return existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
  };
  const header = readText(layoutHeader);
  const constants = { ...(await layoutConstants(root)), ...dropConstants(reasons) };
  return [
    ...checkPages(await pages(root), readText),
    ...(header === undefined ? [] : checkLayout(layoutHeader, header, constants)),
    ...checkLimits(limits(root)),
  ];
}

/** Every generated page is there and current. */
export function checkPages(wanted: Pages, read: (path: string) => string | undefined): readonly Violation[] {
  return [...wanted]
    .filter(([path, text]) => read(path) !== text)
    .map(([file]) => ({ file, line: 1, rule: "docs", message: "differs from the code: npm run docs" }));
}

/** Every limit says why it is what it is. */
export function checkLimits(rows: readonly LimitRow[]): readonly Violation[] {
  return rows
    .filter(({ reason }) => reason === "")
    .map(({ folder, name, line }) => ({
      file: `src/${folder}/limits.ts`,
      line,
      rule: "limits",
      message: `${name} has no docstring with its reason`,
    }));
}
