import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { WalkScript } from "./testing/walk-script.ts";

/**
 * Each file of testdata/ is a script: blocks of commands, `----`, what they print. Blocks are separated by lines of `====`.
 * WEFT_REWRITE=1 writes what is printed into the files; the reviewer reads the difference.
 */
const FOLDER = new URL("./testdata/", import.meta.url);
const SEPARATOR = "\n====\n";
const DIVIDER = "\n----\n";

for (const name of readdirSync(FOLDER).filter((each) => each.endsWith(".txt"))) {
  test(`walks of ${name.replace(".txt", "").replaceAll("-", " ")}`, () => {
    const file = new URL(name, FOLDER);
    const text = readFileSync(file, "utf8");
    const script = new WalkScript();
    const blocks = text
      .trimEnd()
      .split(SEPARATOR)
      .map((block) => {
        const [commands = "", expected = ""] = `${block}\n`.split(DIVIDER);
        const printed = script.run(commands.split("\n")).join("\n").trimEnd();
        return { commands: commands.trimEnd(), expected: expected.trimEnd(), printed };
      });
    if (process.env["WEFT_REWRITE"] === "1") {
      writeFileSync(file, `${blocks.map((block) => `${block.commands}${DIVIDER}${block.printed}`).join(SEPARATOR)}\n`);
      return;
    }
    for (const { commands, expected, printed } of blocks) assert.equal(printed, expected, commands);
  });
}
