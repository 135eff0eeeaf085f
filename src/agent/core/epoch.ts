/** A name as a number that is never 0, for the epoch words of records that outlive an agent. FNV-1a. */
export function epochOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0 || 1;
}
