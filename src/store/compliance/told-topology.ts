import type { KindWatcher, ObjectWatcher } from "../recipes/topology-store.ts";
import { Waiting } from "./expecting.ts";

/** A watcher that writes down what it is told. */
export class Told extends Waiting implements KindWatcher<"bridge">, ObjectWatcher<"bridge"> {
  readonly lines: string[] = [];

  onLoaded(objects: readonly { readonly object: { readonly id: string } }[]): void {
    this.#add(`loaded ${objects.map(({ object }) => object.id.slice(-2)).join(" ")}`);
  }

  onObject(stored: { readonly object: { readonly id: string; readonly name: string } } | undefined): void {
    this.#add(stored === undefined ? "nothing" : `${stored.object.id.slice(-2)} ${stored.object.name}`);
  }

  onDeleted(id: string): void {
    this.#add(`deleted ${id.slice(-2)}`);
  }

  onDamaged(error: { readonly object: { readonly id: string } }): void {
    this.#add(`damaged ${error.object.id.slice(-2)}`);
  }

  #add(line: string): void {
    this.lines.push(line);
    this.wake();
  }
}
