import { basename } from "node:path";
import type { Source, Violation } from "./source.ts";

const bannedWord = /(?:^|[a-z0-9_])(Manager|Helper|Helpers|Util|Utils|Impl)(?=[A-Z0-9_]|$)/;
const bannedFile = /(^|[-.])(manager|helpers?|utils?|impl|common|misc)(?=[-.])/;
const declaration = /\b(?:class|interface|type|function|const|let)\s+([A-Za-z_$][\w$]*)/g;
const defaultExport = /^export\s+default\b/;

/** Names say what a thing is: a word that fits everything says nothing. */
export function checkNames(source: Source): readonly Violation[] {
  const found: Violation[] = [];
  const file = basename(source.path);
  const add = (line: number, message: string): void => {
    found.push({ file: source.path, line, rule: "names", message });
  };
  const word = bannedFile.exec(file)?.[2];
  if (word !== undefined) add(1, `a file called ${file}: "${word}" names no thing, name the noun it holds`);
  source.codeLines.forEach((text, i) => {
    for (const [, name = ""] of text.matchAll(declaration)) {
      const banned = bannedWord.exec(name)?.[1];
      if (banned !== undefined) add(i + 1, `${name}: "${banned}" names no thing`);
    }
    if (defaultExport.test(text) && file !== "reporter.mjs")
      add(i + 1, "a default export has no name: export it by name");
  });
  return found;
}
