import type { Ability } from "./rig.ts";
import type { Scene } from "./scene.ts";

/** One case of the suite: a sentence, and what makes it true. The scene is as `Scene.reset` leaves it. */
export interface Case {
  readonly name: string;
  readonly needs?: readonly Ability[];
  run(scene: Scene): Promise<unknown>;
}
