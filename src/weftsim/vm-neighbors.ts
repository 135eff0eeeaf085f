import { formatIp, type Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import { VM_ASK_MS, VM_ASKS_MAX, VM_PENDING_MAX } from "./limits.ts";

/** What waits for a neighbor: called with its MAC address. */
type Waiting = (mac: Mac) => void;

interface Question {
  readonly waiting: Waiting[];
  asks: number;
  timer: Timer | undefined;
}

/** What a VM's neighbor cache is made of. */
export interface VmNeighborsParts {
  readonly scheduler: Scheduler;
  /** Sends an ARP request or neighbor solicitation. */
  ask(ip: Ip): void;
}

/** The neighbor cache of a simulated VM: entries never age, questions are repeated and then given up. */
export class VmNeighbors {
  /** Packets that were dropped because nobody answered, or too many waited. */
  unresolved = 0;
  readonly #parts: VmNeighborsParts;
  readonly #macs = new Map<string, Mac>();
  readonly #questions = new Map<string, Question>();

  constructor(parts: VmNeighborsParts) {
    this.#parts = parts;
  }

  /** Calls back with the MAC address of `ip`, now or when it is known; never when nobody answers. */
  resolve(ip: Ip, waiting: Waiting): void {
    const key = formatIp(ip);
    const known = this.#macs.get(key);
    if (known !== undefined) return waiting(known);
    const open = this.#questions.get(key);
    if (open === undefined) return this.#ask(ip, { waiting: [waiting], asks: 0, timer: undefined });
    if (open.waiting.length < VM_PENDING_MAX) open.waiting.push(waiting);
    else this.unresolved++;
  }

  /** A neighbor told its MAC address; taken only when it was known or asked for, unless `isAsker`. */
  learn(ip: Ip, mac: Mac, isAsker = false): void {
    const key = formatIp(ip);
    const open = this.#questions.get(key);
    if (open === undefined && !isAsker && !this.#macs.has(key)) return;
    this.#macs.set(key, mac);
    if (open === undefined) return;
    open.timer?.cancel();
    this.#questions.delete(key);
    for (const waiting of open.waiting) waiting(mac);
  }

  /** What is known of an address. */
  macOf(ip: Ip): Mac | undefined {
    return this.#macs.get(formatIp(ip));
  }

  /** Forgets everything, as a restarted VM does. */
  clear(): void {
    for (const question of this.#questions.values()) question.timer?.cancel();
    this.#questions.clear();
    this.#macs.clear();
  }

  #ask(ip: Ip, question: Question): void {
    const key = formatIp(ip);
    if (question.asks++ >= VM_ASKS_MAX) {
      this.unresolved += question.waiting.length;
      this.#questions.delete(key);
      return;
    }
    this.#questions.set(key, question);
    question.timer = this.#parts.scheduler.after(VM_ASK_MS, () => this.#ask(ip, question));
    this.#parts.ask(ip);
  }
}
