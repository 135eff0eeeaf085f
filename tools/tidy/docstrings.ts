import type { Source, Violation } from "./source.ts";

const exported =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|class|const|let|interface|type) ([A-Za-z_$][\w$]*)/;

/** Whoever uses a thing reads its docstring and not its body: every export has one. */
export function checkDocstrings(source: Source): readonly Violation[] {
  if (source.path.endsWith(".test.ts")) return [];
  const seen = new Set<string>();
  return source.lines.flatMap((text, i) => {
    const name = exported.exec(text)?.[1];
    if (name === undefined || seen.has(name) || !isOutsideComment(source, i)) return [];
    seen.add(name);
    if (endsDocstring(source.lines, i - 1)) return [];
    const message = `${name} is exported without a docstring: meaning, units, errors`;
    return [{ file: source.path, line: i + 1, rule: "docstrings", message }];
  });
}

function isOutsideComment(source: Source, i: number): boolean {
  return source.codeLines[i] !== "";
}

function endsDocstring(lines: readonly string[], last: number): boolean {
  if (!(lines[last] ?? "").trimEnd().endsWith("*/")) return false;
  for (let i = last; i >= 0; i--) {
    const text = (lines[i] ?? "").trimStart();
    if (text.startsWith("/*")) return text.startsWith("/**");
  }
  return false;
}
