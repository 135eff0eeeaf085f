import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { type AnyNode, type Program, parse } from "acorn";

/** Something that a check found. `line` counts from 1. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** One source file, read and parsed once for all checks. */
export interface Source {
  /** Path from the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The lines with comments cut out, types left in: what a search for a word may look at. */
  readonly codeLines: readonly string[];
  /** The program without its types; positions are those of `text`. */
  readonly program: Program;
}

/** Makes a Source of a file's text; throws with the path when it is not TypeScript that Node can strip. */
export function parseSource(path: string, text: string): Source {
  try {
    const code = path.endsWith(".ts") ? stripTypeScriptTypes(text, { mode: "strip" }) : text;
    const program = parse(code, { ecmaVersion: "latest", sourceType: "module", locations: true, allowHashBang: true });
    const lines = text.split("\n");
    return { path, text, lines, codeLines: withoutComments(lines), program };
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Reads and parses a file of the repository. */
export function readSource(root: string, path: string): Source {
  return parseSource(path, readFileSync(join(root, path), "utf8"));
}

/** A test, or a file that only tests use: rules about size and purity do not hold for it. */
export function isTest(path: string): boolean {
  return (
    path.endsWith(".test.ts") ||
    path.startsWith("test/") ||
    /^src\/.*\/(compliance|testing|testdata|fixtures?)\//.test(path)
  );
}

/** The folder of src/ that a path belongs to, undefined outside src/. */
export function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Calls `visit` for every node of the program, parents first, with the node that holds it. */
export function walk(program: Program, visit: (node: AnyNode, parent: AnyNode | undefined) => void): void {
  const pending: [AnyNode, AnyNode | undefined][] = [[program, undefined]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [node, parent] = next;
    visit(node, parent);
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) pending.push([child, node]);
    }
  }
}

/** The line on which a node begins. */
export function lineOf(node: AnyNode): number {
  return node.loc?.start.line ?? 0;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function withoutComments(lines: readonly string[]): readonly string[] {
  let isInside = false;
  return lines.map((line) => {
    if (isInside) {
      isInside = !line.includes("*/");
      return "";
    }
    if (/^\s*\/\*/.test(line)) {
      isInside = !line.includes("*/");
      return "";
    }
    return line.replace(/(^|\s)\/\/.*$/, "");
  });
}
