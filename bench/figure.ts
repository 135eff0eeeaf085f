/**
 * One measured figure, beside its rival where there is one. `ratio` is value / rival_value; `rival_value` is null where
 * the bound is a limit; `spread` is (max - min) / median over the rounds.
 */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly rival: string | null;
  readonly rival_value: number | null;
  readonly ratio: number | null;
  readonly spread: number;
}

/** What a figure is made of: one value a round, the rival's from rounds in between. */
export interface Rounds {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly rival?: { readonly name: string; readonly values: readonly number[] };
}

/** The medians of the rounds and how far they are apart. Infinite values (nothing was reached) stay what they are. */
export function figureOf({ name, unit, values, rival }: Rounds): Figure {
  const value = median(values);
  const rivalValue = rival === undefined ? null : median(rival.values);
  return {
    name,
    value,
    unit,
    rival: rival?.name ?? null,
    rival_value: rivalValue,
    ratio: rivalValue === null ? null : value / rivalValue,
    spread: value === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / value,
  };
}

/** The middle of the values; the upper one of two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this share of the values lies (nearest rank). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A number with three digits that say something. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.min(3, digits) });
}
