/** Receives the lines of a walk, indented by depth. */
export interface TraceSink {
  line(depth: number, text: string): void;
}
