import { type Expression, parseExpressionAt } from "acorn";
import type { Violation } from "./source.ts";

const define = /^\s*#define\s+WEFT_(\w+)[ \t]+(.+)$/;
const enumerator = /^\s*WEFT_(\w+)\s*=\s*([^,]+),?/;

/** Constants that TypeScript and C share: name without prefix -> value. */
export type Constants = Readonly<Record<string, number>>;

/**
 * Compares the constants of a C header with those of TypeScript: every `#define WEFT_X n` (and `WEFT_X = n,` of an enum)
 * must be a number that `expected` has under the name X. Macros with parameters are not constants.
 */
export function checkLayout(file: string, header: string, expected: Constants): readonly Violation[] {
  const seen: Record<string, number> = {};
  return withoutComments(header).flatMap((text, i) => {
    const [, name, body] = define.exec(text) ?? enumerator.exec(text) ?? [];
    if (name === undefined || body === undefined) return [];
    const value = evaluate(body, seen);
    if (value === undefined) return [];
    seen[name] = value;
    const wanted = expected[name];
    if (wanted === value) return [];
    const message =
      wanted === undefined
        ? `WEFT_${name} has no twin in TypeScript`
        : `WEFT_${name} is ${value}, in TypeScript ${wanted}`;
    return [{ file, line: i + 1, rule: "layout", message }];
  });
}

/** The names under which a header gives the codes of drop reasons. */
export function dropConstants(reasons: readonly { readonly code: number; readonly name: string }[]): Constants {
  return Object.fromEntries(reasons.map(({ code, name }) => [`DROP_${name.toUpperCase().replaceAll("-", "_")}`, code]));
}

function withoutComments(text: string): readonly string[] {
  const blank = (match: string): string => match.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, blank).split("\n");
}

/** The value of a C constant expression, undefined when it is something else. */
function evaluate(body: string, known: Constants): number | undefined {
  const script = body
    .replace(/\b(0x[0-9a-f]+|\d+)(u|l|ul|ull|ll)\b/gi, "$1")
    .replace(/\bWEFT_/g, "")
    .trim();
  try {
    const expression = parseExpressionAt(script, 0, { ecmaVersion: "latest" });
    return expression.end === script.length || script.startsWith("(") ? resolve(expression, known) : undefined;
  } catch {
    return undefined;
  }
}

function resolve(node: Expression, known: Constants): number | undefined {
  if (node.type === "Literal") return typeof node.value === "number" ? node.value : undefined;
  if (node.type === "Identifier") return known[node.name];
  if (node.type !== "BinaryExpression" || node.left.type === "PrivateIdentifier") return undefined;
  const [left, right] = [resolve(node.left, known), resolve(node.right, known)];
  if (left === undefined || right === undefined) return undefined;
  return operate(node.operator, left, right);
}

function operate(operator: string, left: number, right: number): number | undefined {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return Math.trunc(left / right);
    case "<<":
      return left * 2 ** right;
    case "|":
      return (left | right) >>> 0;
    default:
      return undefined;
  }
}
