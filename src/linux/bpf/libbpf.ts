import { isMainThread } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type LinuxError, linuxError } from "../errno.ts";
import { addressOf, allocate, libc, type Pointer } from "../libc.ts";
import { libbpfLogBytes, libbpfLogLineBytes, libbpfLogLines, verifierLinesShown } from "../limits.ts";

interface Libbpf {
  readonly version: () => string;
  readonly openFile: (path: string, options: Pointer) => bigint | null;
  readonly load: (object: bigint) => number;
  readonly close: (object: bigint) => void;
  readonly findMap: (object: bigint, name: string) => bigint | null;
  readonly findProgram: (object: bigint, name: string) => bigint | null;
  readonly nextMap: (object: bigint, after: bigint | null) => bigint | null;
  readonly nextProgram: (object: bigint, after: bigint | null) => bigint | null;
  readonly mapName: (map: bigint) => string;
  readonly mapFd: (map: bigint) => number;
  readonly mapSetMaxEntries: (map: bigint, entries: number) => number;
  readonly mapSetPinPath: (map: bigint, path: string | null) => number;
  readonly mapReuseFd: (map: bigint, fd: number) => number;
  readonly mapSetInitialValue: (map: bigint, bytes: Pointer, length: number) => number;
  readonly mapInitialValue: (map: bigint, length: Pointer) => bigint | null;
  readonly programName: (program: bigint) => string;
  readonly programFd: (program: bigint) => number;
  readonly programPin: (program: bigint, path: string) => number;
  readonly programSetAutoload: (program: bigint, isLoaded: boolean) => number;
  readonly setPrint: (callback: bigint | null) => bigint | null;
}

const prototypes: {
  readonly [name in keyof Libbpf]: readonly [symbol: string, result: string, args: readonly string[]];
} = {
  version: ["libbpf_version_string", "str", []],
  openFile: ["bpf_object__open_file", "void *", ["str", "void *"]],
  load: ["bpf_object__load", "int", ["void *"]],
  close: ["bpf_object__close", "void", ["void *"]],
  findMap: ["bpf_object__find_map_by_name", "void *", ["void *", "str"]],
  findProgram: ["bpf_object__find_program_by_name", "void *", ["void *", "str"]],
  nextMap: ["bpf_object__next_map", "void *", ["void *", "void *"]],
  nextProgram: ["bpf_object__next_program", "void *", ["void *", "void *"]],
  mapName: ["bpf_map__name", "str", ["void *"]],
  mapFd: ["bpf_map__fd", "int", ["void *"]],
  mapSetMaxEntries: ["bpf_map__set_max_entries", "int", ["void *", "uint"]],
  mapSetPinPath: ["bpf_map__set_pin_path", "int", ["void *", "str"]],
  mapReuseFd: ["bpf_map__reuse_fd", "int", ["void *", "int"]],
  mapSetInitialValue: ["bpf_map__set_initial_value", "int", ["void *", "void *", "size_t"]],
  mapInitialValue: ["bpf_map__initial_value", "void *", ["void *", "void *"]],
  programName: ["bpf_program__name", "str", ["void *"]],
  programFd: ["bpf_program__fd", "int", ["void *"]],
  programPin: ["bpf_program__pin", "int", ["void *", "str"]],
  programSetAutoload: ["bpf_program__set_autoload", "int", ["void *", "bool"]],
  setPrint: ["libbpf_set_print", "void *", ["void *"]],
};

// struct bpf_object_open_opts of libbpf 1.1: later fields may follow, `sz` says how far we know it.
const optionsBytes = 80;
const optionLogBuffer = 56;
const optionLogSize = 64;

/** How one map of the object differs from what its source says. */
export interface MapChange {
  /** Other number of entries (bytes, for a ring buffer). */
  readonly maxEntries?: number;
  /** Pinned here at load; a map that is already pinned there is taken when its shape is the same. */
  readonly pinPath?: string;
  /** This very map in place of a new one. The descriptor stays the caller's. */
  readonly reuseFd?: number;
  /** First bytes of a `.rodata` or `.data` map: written over its start, the rest stays as compiled. */
  readonly initialBytes?: { readonly offset: number; readonly bytes: Uint8Array };
}

/** What to load: the object file, changes by map name, and programs (by name) to leave out. */
export interface ObjectSource {
  readonly path: string;
  readonly maps?: Readonly<Record<string, MapChange>>;
  readonly withoutPrograms?: readonly string[];
}

/**
 * Opens an object file, applies the changes, lets libbpf relocate it and the kernel verify it.
 * libbpf's messages are process-wide, so that loading belongs to the main thread (an error says so elsewhere); other
 * threads get descriptors or open pins. The error's sentence ends with the verifier's last lines.
 */
export function loadObject(source: ObjectSource): Result<BpfObject, LinuxError> {
  const ready = libbpf();
  if (!ready.ok) return ready;
  return withLog(ready.value, source.path, (verifierLog) => {
    const opened = open(ready.value, source.path, verifierLog);
    if (!opened.ok) return opened;
    const prepared = prepare(ready.value, opened.value, source);
    if (prepared.ok) {
      const answer = ready.value.load(opened.value);
      if (answer === 0) return ok(new BpfObject(ready.value, opened.value));
      ready.value.close(opened.value);
      return err({ step: "load", number: -answer });
    }
    ready.value.close(opened.value);
    return prepared;
  });
}

/** The version of the installed libbpf, such as `v1.1`, or why it does not load. */
export function libbpfVersion(): Result<string, LinuxError> {
  const ready = libbpf();
  return ready.ok ? ok(ready.value.version()) : ready;
}

/** A loaded object: programs and maps by name. Descriptors are the object's; they end with `close`. */
export class BpfObject {
  readonly #libbpf: Libbpf;
  readonly #object: bigint;
  #isOpen = true;

  constructor(library: Libbpf, object: bigint) {
    this.#libbpf = library;
    this.#object = object;
  }

  /** The descriptor of a map, or undefined when the object has none of that name. */
  mapFd(name: string): number | undefined {
    this.#assertOpen();
    const map = this.#libbpf.findMap(this.#object, name);
    return map === null ? undefined : this.#libbpf.mapFd(map);
  }

  /** The descriptor of a program (its C function's name). */
  programFd(name: string): number | undefined {
    this.#assertOpen();
    const program = this.#libbpf.findProgram(this.#object, name);
    const fd = program === null ? -1 : this.#libbpf.programFd(program);
    return fd < 0 ? undefined : fd;
  }

  /** The names of all maps, those of `.rodata` and `.bss` included. */
  mapNames(): readonly string[] {
    this.#assertOpen();
    return collect((after) => this.#libbpf.nextMap(this.#object, after)).map((map) => this.#libbpf.mapName(map));
  }

  /** The names of all programs. */
  programNames(): readonly string[] {
    this.#assertOpen();
    const { nextProgram, programName } = this.#libbpf;
    return collect((after) => nextProgram(this.#object, after)).map((program) => programName(program));
  }

  /** Closes every descriptor. What is pinned or attached lives on. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#libbpf.close(this.#object);
  }

  #assertOpen(): void {
    assert(this.#isOpen, "use of a closed BPF object");
  }
}

interface Failure {
  readonly step: string;
  readonly number: number;
}

let loaded: Result<Libbpf, LinuxError> | undefined;

function libbpf(): Result<Libbpf, LinuxError> {
  if (!isMainThread) return err(linuxError("load BPF objects", 1, "libbpf is used on the main thread only"));
  loaded ??= bindLibbpf();
  return loaded;
}

function bindLibbpf(): Result<Libbpf, LinuxError> {
  try {
    const library = libc().koffi.load("libbpf.so.1");
    const entries = Object.entries(prototypes).map(([name, [symbol, result, args]]) => [
      name,
      library.func(symbol, result, [...args]),
    ]);
    return ok(Object.fromEntries(entries) as unknown as Libbpf);
  } catch (cause) {
    return err(linuxError("load libbpf.so.1", 2, `install libbpf1 (Debian) or libbpf 1.x: ${cause}`));
  }
}

function open(library: Libbpf, path: string, log: Uint8Array<ArrayBuffer>): Result<bigint, Failure> {
  const options = allocate(optionsBytes);
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(optionsBytes), true);
  view.setBigUint64(optionLogBuffer, addressOf(log), true);
  view.setBigUint64(optionLogSize, BigInt(log.length), true);
  const object = library.openFile(path, options);
  return object === null ? err({ step: "open", number: libc().errno() }) : ok(object);
}

function prepare(library: Libbpf, object: bigint, source: ObjectSource): Result<undefined, Failure> {
  for (const name of source.withoutPrograms ?? []) {
    const program = library.findProgram(object, name);
    if (program === null) return err({ step: `leave out program ${name}`, number: 2 });
    library.programSetAutoload(program, false);
  }
  for (const [name, change] of Object.entries(source.maps ?? {})) {
    const map = library.findMap(object, name);
    if (map === null) return err({ step: `find map ${name}`, number: 2 });
    const changed = changeMap(library, map, change);
    if (changed < 0) return err({ step: `change map ${name}`, number: -changed });
  }
  return ok(undefined);
}

function changeMap(library: Libbpf, map: bigint, change: MapChange): number {
  const { maxEntries, pinPath, reuseFd, initialBytes } = change;
  const steps = [
    () => (maxEntries === undefined ? 0 : library.mapSetMaxEntries(map, maxEntries)),
    () => (reuseFd === undefined ? 0 : library.mapReuseFd(map, reuseFd)),
    () => (pinPath === undefined ? 0 : library.mapSetPinPath(map, pinPath)),
    () => (initialBytes === undefined ? 0 : writeInitial(library, map, initialBytes)),
  ];
  for (const step of steps) {
    const answer = step();
    if (answer < 0) return answer;
  }
  return 0;
}

function writeInitial(library: Libbpf, map: bigint, part: NonNullable<MapChange["initialBytes"]>): number {
  const invalid = -22;
  const length = allocate(8);
  const address = library.mapInitialValue(map, length);
  const size = Number(new DataView(length.buffer).getBigUint64(0, true));
  if (address === null || part.offset + part.bytes.length > size) return invalid;
  new Uint8Array(libc().koffi.view(address, size)).set(part.bytes, part.offset);
  return 0;
}

function collect(next: (after: bigint | null) => bigint | null): readonly bigint[] {
  const found: bigint[] = [];
  for (let at = next(null); at !== null; at = next(at)) found.push(at);
  return found;
}

/**
 * Runs `body` with libbpf's messages going to a list, on this thread only: they are off again when it returns, so that
 * no other caller of libbpf in the process can call back into JavaScript.
 */
function withLog<T>(
  library: Libbpf,
  path: string,
  body: (verifierLog: Uint8Array<ArrayBuffer>) => Result<T, Failure>,
): Result<T, LinuxError> {
  const { koffi } = libc();
  const lines: string[] = [];
  const type = koffi.pointer(koffi.proto("int", ["int", "void *", "void *"]));
  const callback = koffi.register(
    (level: number, format: bigint, list: bigint) => record(lines, { level, format, list }),
    type,
  );
  const verifierLog = allocate(libbpfLogBytes);
  library.setPrint(callback);
  try {
    const result = body(verifierLog);
    if (result.ok) return result;
    const { step, number } = result.error;
    return err(linuxError(`${step} of BPF object ${path}`, number, explain(lines, verifierLog)));
  } finally {
    library.setPrint(null);
    koffi.unregister(callback);
  }
}

interface LogCall {
  readonly level: number;
  readonly format: bigint;
  readonly list: bigint;
}

const lineBuffer = { bytes: undefined as Uint8Array<ArrayBuffer> | undefined };
const levelDebug = 2;

// A va_list is passed by reference both on x86-64 and on arm64, so that its pointer can be handed on to vsnprintf.
function record(lines: string[], { level, format, list }: LogCall): number {
  if (level >= levelDebug || lines.length >= libbpfLogLines) return 0;
  lineBuffer.bytes ??= allocate(libbpfLogLineBytes);
  const length = libc().vsnprintf(lineBuffer.bytes, libbpfLogLineBytes, format, list);
  const shown = Math.max(0, Math.min(length, libbpfLogLineBytes - 1));
  lines.push(new TextDecoder().decode(lineBuffer.bytes.subarray(0, shown)).trim());
  return 0;
}

function explain(lines: readonly string[], verifierLog: Uint8Array): string {
  const end = verifierLog.indexOf(0);
  const log = new TextDecoder().decode(verifierLog.subarray(0, end < 0 ? verifierLog.length : end)).trim();
  const verdict = log === "" ? [] : ["the verifier's last lines:", ...log.split("\n").slice(-verifierLinesShown)];
  return [...lines, ...verdict].join("\n");
}
