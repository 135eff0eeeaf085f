/** Where a command prints. In tests a list of lines. */
export interface Terminal {
  /** One line of the answer. */
  print(line: string): void;
  /** One line about the answer, kept out of pipes. */
  complain(line: string): void;
  /** Columns, when a person watches; undefined into a file or a pipe. */
  readonly width: number | undefined;
}

/** The process's own streams. */
export const processTerminal: Terminal = {
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  get width() {
    return process.stdout.isTTY ? process.stdout.columns : undefined;
  },
};
