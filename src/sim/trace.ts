import type { FlowTag } from "../flow/tag.ts";

/**
 * Receives a walk as text. Recording is off while no sink is set, and then costs one comparison a step.
 */
export interface TraceSink {
  /** A step, in the order of the walk. `depth` counts what the walk is inside of. */
  line(depth: number, text: string): void;
  /** Something was read on which the flow depends; repeats are told. Left out by sinks that want the steps only. */
  reads?(tag: FlowTag, text: string): void;
}

/** Keeps the lines, two spaces a depth, and what was read, each once. */
export class TraceText implements TraceSink {
  readonly lines: string[] = [];
  readonly dependencies = new Map<FlowTag, string>();

  line(depth: number, text: string): void {
    this.lines.push(`${"  ".repeat(depth)}${text}`);
  }

  reads(tag: FlowTag, text: string): void {
    if (!this.dependencies.has(tag)) this.dependencies.set(tag, text);
  }
}
