import type { WatchEvent } from "../api-schema/watch-event.ts";
import { nearest, suggestion } from "../base/nearest.ts";
import { err, ok } from "../base/result.ts";
import type { Kind } from "../model/objects.ts";
import { usageError } from "./cli-error.ts";
import { type CommandContext, type CommandResult, called, example, type VerbModule } from "./command.ts";
import { kindOfWord, kindWords, nameIn } from "./kind-spec.ts";

/** `weft watch [KIND...]`: what changes, as it changes. */
export const watchVerb: VerbModule = {
  build(command, run) {
    command
      .argument("[kind...]", "kinds to follow; all when absent")
      .option("--once", "ends when everything that is there has been told")
      .addHelpText("after", example("watch", "watch ports hosts", "watch ports --json"))
      .action((kinds: readonly string[]) => run((context) => watch(context, kinds, command.opts()["once"] === true)));
  },
};

async function watch(context: CommandContext, words: readonly string[], once: boolean): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const kinds: Kind[] = [];
  for (const word of words) {
    const spec = kindOfWord(word);
    if (spec === undefined) return err(usageError(`unknown kind ${word}${suggestion(nearest(word, kindWords()))}`));
    kinds.push(spec.kind);
  }
  const ended = Promise.withResolvers<string | undefined>();
  let isSynced = false;
  const opened = await called(
    api.value.client.watch(kinds, {
      onEvent: (event) => {
        if (event.type === "synced") isSynced = true;
        print(context, event, isSynced);
        if (event.type === "synced" && once) ended.resolve(undefined);
      },
      onEnd: (why) => ended.resolve(why ?? "closed"),
    }),
  );
  if (!opened.ok) return opened;
  const why = await ended.promise;
  opened.value();
  if (why === undefined) return ok("done");
  return err({ exit: "unreachable", message: `the watch ended: ${why}`, remedy: "run the command again" });
}

function print({ terminal, isJson }: CommandContext, event: WatchEvent, isSynced: boolean): void {
  if (isJson) return terminal.print(JSON.stringify(event));
  switch (event.type) {
    case "object": {
      const { kind, object } = event;
      const name = nameIn(object) ?? object.id;
      return terminal.print(`${isSynced ? "changed" : "present"} ${kind} ${name} ${detailOf(event)}`.trimEnd());
    }
    case "deleted":
      return terminal.print(`deleted ${event.kind} ${event.id}`);
    case "damaged":
      return terminal.print(`damaged ${event.kind} ${event.id}: ${event.error.message}`);
    case "synced":
      return terminal.complain("-- that is all for now; waiting for changes --");
  }
}

/** What people most often wait for, of kinds that have such a thing. */
function detailOf(event: WatchEvent & { readonly type: "object" }): string {
  if (event.kind === "host") return event.object.isAlive ? "alive" : "not alive";
  if (event.kind === "port") return event.object.isActive === true ? "active" : event.object.state;
  return `version ${event.object.version}`;
}
