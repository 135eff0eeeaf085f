/** Names and meanings of a group of counters or gauges: the key is the metric's name, the value its help line. */
export type MetricCatalogue = Readonly<Record<string, string>>;

/**
 * A fixed set of counters in one Float64Array: an increment is one store.
 * `T` is the catalogue, so a counter that is not documented does not type-check.
 */
export class Counters<T extends MetricCatalogue> {
  readonly names: readonly (keyof T & string)[];
  readonly catalogue: T;
  readonly values: Float64Array;
  readonly #index: Map<string, number>;

  constructor(catalogue: T) {
    this.catalogue = catalogue;
    this.names = Object.keys(catalogue) as (keyof T & string)[];
    this.values = new Float64Array(this.names.length);
    this.#index = new Map(this.names.map((name, i) => [name, i]));
  }

  /** The position of a counter, to be looked up once and used with `values` on a hot path. */
  index(name: keyof T & string): number {
    const i = this.#index.get(name);
    if (i === undefined) throw new Error(`no counter ${name}`);
    return i;
  }

  /** Adds to a counter. */
  add(name: keyof T & string, amount = 1): void {
    const i = this.index(name);
    this.values[i] = (this.values[i] as number) + amount;
  }

  /** Sets a gauge. */
  set(name: keyof T & string, value: number): void {
    this.values[this.index(name)] = value;
  }

  /** The present value. */
  get(name: keyof T & string): number {
    return this.values[this.index(name)] as number;
  }

  /** All values by name. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.names.map((name, i) => [name, this.values[i] as number]));
  }
}

/** Counters whose keeper is not known where they are told: their catalogue, and their values as of now. */
export interface CounterSource {
  readonly catalogue: MetricCatalogue;
  snapshot(): Readonly<Record<string, number>>;
}

/** Adds up the counters of things that come and go, such as the clients of one session after another. */
export class CounterSum<T extends MetricCatalogue> implements CounterSource {
  readonly catalogue: T;
  readonly #past: Counters<T>;
  #present: Counters<T> | undefined;

  constructor(catalogue: T) {
    this.catalogue = catalogue;
    this.#past = new Counters(catalogue);
  }

  /** From now on these count; those before have ended. */
  follow(counters: Counters<T>): void {
    const before = this.#present;
    this.#present = counters;
    for (const name of before?.names ?? []) this.#past.add(name, before?.get(name));
  }

  snapshot(): Readonly<Record<string, number>> {
    const { names } = this.#past;
    return Object.fromEntries(names.map((name) => [name, this.#past.get(name) + (this.#present?.get(name) ?? 0)]));
  }
}
