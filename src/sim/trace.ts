/**
 * Receives a walk as text, one line a step, in the order of the walk. `depth` counts devices and chains that the walk is in.
 * Recording is off while no sink is set, and then costs one comparison a step.
 */
export interface TraceSink {
  line(depth: number, text: string): void;
}

/** Keeps the lines, two spaces a depth. */
export class TraceText implements TraceSink {
  readonly lines: string[] = [];

  line(depth: number, text: string): void {
    this.lines.push(`${"  ".repeat(depth)}${text}`);
  }
}
