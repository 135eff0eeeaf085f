import { OUTPUTS_MAX } from "./limits.ts";

/**
 * The vports by which a packet leaves the topology, in canonical order, each with its VLAN operation. Reused: grows to
 * `OUTPUTS_MAX` and then says `isOverLimit`.
 */
export class OutputList {
  /** Number of outputs. */
  count = 0;
  /** More outputs than a group can hold: the rest is missing, drop with reason group-limit. */
  isOverLimit = false;
  /** Order-dependent hash of all outputs, to find an equal group by. */
  hash = 0;
  /** Handles of the vports. */
  readonly ports = new Int32Array(OUTPUTS_MAX);
  /** Tags to pop and to push, at `ACTION_POP_SHIFT` and `ACTION_PUSH_SHIFT` as in word 0 of an action. */
  readonly vlanOps = new Uint32Array(OUTPUTS_MAX);
  /** Tags to push, as word 7 of an action. */
  readonly vlanTags = new Uint32Array(OUTPUTS_MAX);

  /** Empties the list. */
  clear(): void {
    this.count = 0;
    this.isOverLimit = false;
    this.hash = 0;
  }

  /** Appends an output. */
  add(port: number, vlanOp: number, vlanTags: number): void {
    const i = this.count;
    if (i === OUTPUTS_MAX) {
      this.isOverLimit = true;
      return;
    }
    this.ports[i] = port;
    this.vlanOps[i] = vlanOp;
    this.vlanTags[i] = vlanTags;
    this.hash = (Math.imul(this.hash ^ port ^ (vlanOp << 4) ^ Math.imul(vlanTags, 0x9e37_79b1), 0x85eb_ca6b) + 1) | 0;
    this.count = i + 1;
  }

  /** Forgets all outputs but the first `count`. The hash is computed anew. */
  truncate(count: number): void {
    const end = Math.min(count, this.count);
    this.clear();
    for (let i = 0; i < end; i++) {
      this.add(this.ports[i] as number, this.vlanOps[i] as number, this.vlanTags[i] as number);
    }
  }
}
