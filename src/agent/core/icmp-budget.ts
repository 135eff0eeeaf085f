import type { Instant } from "../../base/clock.ts";
import { ICMP_ERRORS_PER_SECOND } from "./limits.ts";

/** Rate limit of ICMP errors per ingress port (RFC 1812 4.3.2.8, RFC 4443 2.4 f): so many in each second, none saved up. */
export class IcmpBudget {
  #second = -1;
  readonly #sent = new Map<number, number>();

  /** Takes one error of a port; false: none is left in this second. */
  take(vport: number, now: Instant): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#sent.clear();
    }
    const sent = this.#sent.get(vport) ?? 0;
    if (sent >= ICMP_ERRORS_PER_SECOND) return false;
    this.#sent.set(vport, sent + 1);
    return true;
  }
}
