import type { AnyNode } from "acorn";
import { isTest, lineOf, type Source, type Violation, walk } from "./source.ts";

/** A function longer than this does not fit a screen, so nobody sees all of it at once. */
export const FUNCTION_LINES_MAX = 70;
/** A file longer than this holds more than one noun, a test as well. */
export const FILE_LINES_MAX = 400;
/** A fourth positional parameter is one that the caller confuses: use an object. */
export const PARAMETERS_MAX = 3;

/** Files that may pass a limit for now, with the reason. To be empty. */
export const RATCHET: Readonly<Record<string, { readonly fileLines: number; readonly reason: string }>> = {};

/** Length of files and functions, number of positional parameters. */
export function checkSizes(source: Source): readonly Violation[] {
  const found: Violation[] = [];
  const add = (line: number, message: string): void => {
    found.push({ file: source.path, line, rule: "sizes", message });
  };
  const lines = source.text.replace(/\n$/, "").split("\n").length;
  const limit = RATCHET[source.path]?.fileLines ?? FILE_LINES_MAX;
  if (lines > limit) add(limit + 1, `${lines} lines, at most ${limit}: split it by noun`);
  if (isTest(source.path)) return found;
  walk(source.program, (node) => {
    if (!isFunction(node)) return;
    const length = (node.loc?.end.line ?? 0) - lineOf(node) + 1;
    if (length > FUNCTION_LINES_MAX) add(lineOf(node), `a function of ${length} lines, at most ${FUNCTION_LINES_MAX}`);
    if (node.params.length <= PARAMETERS_MAX) return;
    add(lineOf(node), `${node.params.length} positional parameters, at most ${PARAMETERS_MAX}: take an object`);
  });
  return found;
}

type FunctionNode = Extract<
  AnyNode,
  { type: "FunctionDeclaration" | "FunctionExpression" | "ArrowFunctionExpression" }
>;

function isFunction(node: AnyNode): node is FunctionNode {
  return (
    node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression"
  );
}
