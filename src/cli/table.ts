/** A column of a table: its heading, and what it shows of a row. */
export interface Column<Row> {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly isNumber?: true;
  show(row: Row): string;
}

const GAP = "  ";

/**
 * Rows as lines, columns as wide as their longest value, empty columns left out. `width` cuts lines that would wrap; without
 * it (output into a file or a pipe) nothing is cut.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width?: number,
): readonly string[] {
  const cells = columns.map((column) => ({ column, texts: rows.map((row) => oneLine(column.show(row))) }));
  const shown = cells.filter(({ texts }) => texts.length === 0 || texts.some((text) => text !== ""));
  const sized = shown.map(({ column, texts }) => ({
    isNumber: column.isNumber === true,
    size: Math.max(column.title.length, ...texts.map((text) => text.length)),
    texts: [column.title, ...texts],
  }));
  const count = rows.length + 1;
  return Array.from({ length: count }, (_, i) => {
    const line = sized.map(({ texts, size, isNumber }) =>
      isNumber ? (texts[i] ?? "").padStart(size) : (texts[i] ?? "").padEnd(size),
    );
    return cut(line.join(GAP).trimEnd(), width);
  });
}

/** Names and values, one a line, for a single object. */
export function formatFields(fields: readonly (readonly [string, string])[]): readonly string[] {
  const size = Math.max(...fields.map(([name]) => name.length), 0);
  return fields.map(([name, value]) => `${name.padEnd(size)}${GAP}${value}`.trimEnd());
}

/** A count with a unit that people read at a glance: 1234567 bytes are 1.2 MB. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** A span as people say it: 950 ms, 12 s, 3 min. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** A stray line break or control character of a name must not break the table, nor drive the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}

function cut(line: string, width: number | undefined): string {
  return width === undefined || line.length <= width ? line : `${line.slice(0, Math.max(1, width - 1))}…`;
}
