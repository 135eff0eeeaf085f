import { globSync } from "node:fs";
import type { Expression, VariableDeclaration } from "acorn";
import { readSource, type Source } from "../tidy/source.ts";

/** A named limit: where it stands, its value as written, and why it is so. `reason` is empty when it has no docstring. */
export interface LimitRow {
  readonly folder: string;
  readonly name: string;
  readonly value: string;
  readonly reason: string;
  readonly line: number;
}

/** Every limit of every `limits.ts` in src/, in the order of files and lines. */
export function limits(root: string): readonly LimitRow[] {
  return globSync("src/**/limits.ts", { cwd: root })
    .sort()
    .flatMap((file) => limitsOf(readSource(root, file)));
}

/**
 * The limits of one file: an exported constant, or each member of an exported object. A member without a docstring of
 * its own shares that of the one above it.
 */
export function limitsOf(source: Source): readonly LimitRow[] {
  const folder = source.path.replace(/^src\//, "").replace(/\/limits\.ts$/, "");
  return source.program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration" || statement.declaration?.type !== "VariableDeclaration") return [];
    const reason = commentAbove(source, statement.start);
    return rowsOf(source, statement.declaration, reason).map((row) => ({ folder, ...row }));
  });
}

type Row = Omit<LimitRow, "folder">;

function rowsOf(source: Source, declaration: VariableDeclaration, reason: string): readonly Row[] {
  return declaration.declarations.flatMap((declarator) => {
    const { id, init } = declarator;
    if (id.type !== "Identifier" || init === null || init === undefined || isFunction(init)) return [];
    const object = init.type === "CallExpression" ? init.arguments[0] : init;
    if (object?.type !== "ObjectExpression") return [row(source, { name: id.name, value: init, reason })];
    let last = "";
    return object.properties.flatMap((property) => {
      if (property.type !== "Property" || property.key.type !== "Identifier") return [];
      last = commentAbove(source, property.start) || last;
      return [row(source, { name: property.key.name, value: property.value, reason: last })];
    });
  });
}

function row(source: Source, { name, value, reason }: { name: string; value: Expression; reason: string }): Row {
  const text = source.text.slice(value.start, value.end).replace(/\s+/g, " ");
  return { name, value: text, reason, line: value.loc?.start.line ?? 0 };
}

function isFunction(node: Expression): boolean {
  return node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression";
}

/** The words of the docstring that ends right above a position, in one line. */
function commentAbove(source: Source, position: number): string {
  const before = source.text.slice(0, position).trimEnd();
  if (!before.endsWith("*/")) return "";
  const comment = before.slice(before.lastIndexOf("/*"));
  return comment
    .replace(/^\/\*+|\*\/$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*\s?/, "").trim())
    .join(" ")
    .trim();
}
