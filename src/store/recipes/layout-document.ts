/** What the layout's node says. */
export interface FoundLayout {
  /** Version of the layout of what stands under the root. */
  readonly layout: number;
  /** A migration to this version has begun and not ended. */
  readonly migratingTo?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The content of the layout's node. */
export function formatLayout({ layout, migratingTo }: FoundLayout): Uint8Array {
  return encoder.encode(JSON.stringify({ layout, ...(migratingTo === undefined ? {} : { migratingTo }) }));
}

/** Reads the content of the layout's node; undefined when it says no version. */
export function parseLayout(data: Uint8Array): FoundLayout | undefined {
  try {
    const { layout, migratingTo } = JSON.parse(decoder.decode(data)) as Partial<Record<keyof FoundLayout, unknown>>;
    if (!isVersion(layout)) return undefined;
    return isVersion(migratingTo) ? { layout, migratingTo } : { layout };
  } catch {
    return undefined;
  }
}

function isVersion(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1;
}
