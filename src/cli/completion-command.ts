import { ok } from "../base/result.ts";
import { example, type VerbModule } from "./command.ts";
import { KIND_SPECS } from "./kind-spec.ts";

/** `weft completion`: words for bash. */
export const completionVerb: VerbModule = {
  build(command, run) {
    command.addHelpText("after", example("completion > /etc/bash_completion.d/weft")).action(() =>
      run(async ({ terminal }) => {
        for (const line of script(command.parent?.commands.map((verb) => verb.name()) ?? [])) terminal.print(line);
        return ok("done");
      }),
    );
  },
};

/** Verbs first, then kinds; names are not looked up, because completion must be quick. */
function script(verbs: readonly string[]): readonly string[] {
  const kinds = Object.values(KIND_SPECS)
    .map(({ kind }) => kind)
    .join(" ");
  const plurals = Object.values(KIND_SPECS)
    .map(({ plural }) => plural)
    .join(" ");
  return [
    "_weft() {",
    `  local word=\${COMP_WORDS[COMP_CWORD]}`,
    "  case $COMP_CWORD in",
    `    1) COMPREPLY=($(compgen -W "${verbs.join(" ")}" -- "$word")) ;;`,
    `    2) case \${COMP_WORDS[1]} in`,
    `         create|show|update|delete) COMPREPLY=($(compgen -W "${kinds}" -- "$word")) ;;`,
    `         list|watch) COMPREPLY=($(compgen -W "${plurals}" -- "$word")) ;;`,
    '         lab) COMPREPLY=($(compgen -W "status down shell exec" -- "$word")) ;;',
    '         fdb|neighbors) COMPREPLY=($(compgen -W "list add delete" -- "$word")) ;;',
    '         config) COMPREPLY=($(compgen -W "show" -- "$word")) ;;',
    "       esac ;;",
    "  esac",
    "}",
    "complete -F _weft weft ./weft",
  ];
}
