import { zookeeperLimits } from "./limits.ts";
import { errorCode, type Request, type SetWatchesRequest, watchMode } from "./protocol.ts";

/**
 * The persistent watches that the server holds for this session, so that they can be set again on the next connection:
 * a server forgets them with the connection. One-shot watches are not remembered; nothing here uses them.
 */
export class SessionWatches {
  readonly #persistent = new Set<string>();
  readonly #recursive = new Set<string>();

  /** Watches held. */
  get size(): number {
    return this.#persistent.size + this.#recursive.size;
  }

  /** Takes note of a removeWatches that goes out: even when its answer is lost, nobody wants these watches again. */
  sent(request: Request): void {
    if (request.op !== "removeWatches") return;
    this.#persistent.delete(request.path);
    this.#recursive.delete(request.path);
  }

  /** Takes note of an answered addWatch or removeWatches; other requests change nothing. */
  answered(request: Request, error: number): void {
    if (request.op === "addWatch" && error === errorCode.ok) {
      (request.mode === watchMode.recursive ? this.#recursive : this.#persistent).add(request.path);
    }
    this.sent(request);
  }

  /** The requests that set everything again, each short enough for a frame. */
  frames(relativeZxid: bigint): SetWatchesRequest[] {
    const requests: SetWatchesRequest[] = [];
    let persistent: string[] = [];
    let recursive: string[] = [];
    let bytes = 0;
    const cut = (): void => {
      if (persistent.length + recursive.length === 0) return;
      requests.push({ op: "setWatches2", relativeZxid, data: [], exist: [], child: [], persistent, recursive });
      persistent = [];
      recursive = [];
      bytes = 0;
    };
    const add = (list: () => string[], path: string): void => {
      bytes += 4 + path.length * 3;
      list().push(path);
      if (bytes > zookeeperLimits.setWatchesBytes) cut();
    };
    for (const path of this.#persistent) add(() => persistent, path);
    for (const path of this.#recursive) add(() => recursive, path);
    cut();
    return requests;
  }
}
