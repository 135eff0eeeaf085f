import type { TreeOperation } from "../store/tree.ts";

/** Puts a client's tree under one node of the server's tree: `/a` of the client is `/chroot/a` of the server. */
export class Chroot {
  readonly #prefix: string;

  /** `path` is absolute; `/` is no chroot. */
  constructor(path: string) {
    this.#prefix = path === "/" ? "" : path;
  }

  /** The path that the server knows. What is not absolute stays as it is, for the server to refuse. */
  toServer(path: string): string {
    if (this.#prefix === "" || !path.startsWith("/")) return path;
    return path === "/" ? this.#prefix : this.#prefix + path;
  }

  /** The path that the client knows, or undefined when it lies outside. */
  toClient(path: string): string | undefined {
    if (this.#prefix === "") return path;
    if (path === this.#prefix) return "/";
    return path.startsWith(`${this.#prefix}/`) ? path.slice(this.#prefix.length) : undefined;
  }

  /** The operation as the server knows it. */
  operation(operation: TreeOperation): TreeOperation {
    return this.#prefix === "" ? operation : { ...operation, path: this.toServer(operation.path) };
  }

  /** The nodes that have to exist for the chroot to be, outermost first. */
  get ancestors(): readonly string[] {
    const names = this.#prefix.split("/").slice(1);
    return names.map((_, i) => `/${names.slice(0, i + 1).join("/")}`);
  }
}
