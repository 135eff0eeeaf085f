import { readFileSync } from "node:fs";
import { fileOf } from "../base/entry.ts";
import { runProgram } from "./program.ts";
import { processTerminal } from "./terminal.ts";

const { version } = JSON.parse(readFileSync(fileOf("package.json"), "utf8")) as { readonly version: string };

// A reader such as `head` that has seen enough is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const code = await runProgram({
  args: process.argv.slice(2),
  env: process.env,
  terminal: processTerminal,
  release: version,
});
process.exitCode ??= code;
