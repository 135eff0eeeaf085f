import { configHelp, readConfig } from "../base/config.ts";
import { agentSchema } from "./config.ts";
import { confine } from "./confine.main.ts";
import { EXIT_CONFIG, EXIT_FAILED, fail } from "./exit.ts";

const help = `weft agent: joins this host to the virtual network.

Usage: weft agent --host-id UUID [--store unix:/path]
       weft agent --doctor [--api-socket PATH]    looks at this host, as JSON; weft doctor --local prints it for people
Example: weft agent --host-id 7b0c7f0e-6a7f-4c55-9c39-0d5c0e6f2a11 --store unix:/var/lib/weft/store/store.sock

${configHelp(agentSchema)}`;

const args = process.argv.slice(2);
if (args.includes("--help")) {
  process.stdout.write(`${help}\n`);
} else if (args.includes("--doctor")) {
  await doctor(args.filter((word) => word !== "--doctor"));
} else {
  await run(args);
}

/** Looks at this host and ends: nothing is joined, nothing is changed. */
async function doctor(words: readonly string[]): Promise<void> {
  const config = readConfig(agentSchema, { args: words, env: process.env });
  if (!config.ok) return fail(config.error.map((fault) => fault.text).join("\n"), EXIT_CONFIG);
  const { examineLocally } = await import("./doctor.main.ts");
  process.stdout.write(`${await examineLocally(config.value.values["api-socket"])}\n`);
}

/** What an agent needs is loaded only when its rights are cut down: until then it is executed anew at little cost. */
async function run(words: readonly string[]): Promise<void> {
  const config = readConfig(agentSchema, { args: words, env: process.env });
  if (!config.ok) return fail(config.error.map((fault) => fault.text).join("\n"), EXIT_CONFIG);
  const confined = confine(config.value.values);
  if (!confined.ok) return fail(confined.error, EXIT_FAILED);
  const { serve } = await import("./serve.main.ts");
  await serve(config.value, confined.value);
}
