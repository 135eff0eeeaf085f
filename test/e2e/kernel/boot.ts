import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileOf } from "../../../src/base/entry.ts";

/** What a guest is given: files and folders by their path in it, and the lines of its init after everything is mounted. */
export interface Guest {
  readonly files: Readonly<Record<string, string>>;
  /** Kernel modules in the order in which they are loaded. */
  readonly modules?: readonly string[];
  /** Programs of this machine with the libraries that they need, by their path here. */
  readonly programs?: readonly string[];
  /** Libraries that a program opens by name, with those that they need. */
  readonly libraries?: readonly string[];
  readonly commands: readonly string[];
  readonly limitMs: number;
}

const CACHE = fileOf("build/kernel");
const PACKAGE = "linux-image-cloud-amd64";
const APPLETS = ["sh", "mount", "poweroff", "uname", "insmod", "sleep", "timeout", "echo"];

/**
 * The Debian 12 kernel's image, fetched once into build/kernel. Undefined, with the reason printed, when it is not there and cannot
 * be fetched.
 */
export function kernelImage(): string | undefined {
  const found = globSync("unpacked/boot/vmlinuz-6.1.*", { cwd: CACHE }).at(-1);
  if (found !== undefined) return join(CACHE, found);
  mkdirSync(CACHE, { recursive: true });
  const depends = run("apt-cache", ["depends", PACKAGE]);
  const name = /Depends: (linux-image-6\.1\S+)/.exec(depends ?? "")?.[1];
  if (name === undefined) return undefined;
  if (globSync("linux-image-*.deb", { cwd: CACHE }).length === 0)
    run("apt-get", ["download", "-o", "Acquire::Retries=3", name], CACHE);
  const archive = globSync("linux-image-*.deb", { cwd: CACHE }).at(-1);
  if (archive === undefined) return undefined;
  run("dpkg-deb", ["-x", archive, "unpacked"], CACHE);
  const unpacked = globSync("unpacked/boot/vmlinuz-6.1.*", { cwd: CACHE }).at(-1);
  return unpacked === undefined ? undefined : join(CACHE, unpacked);
}

/** Boots the kernel under emulation with an initramfs of busybox and the guest's files; returns what it wrote to its console. */
export function boot(kernel: string, guest: Guest): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-kernel-"));
  try {
    const root = join(folder, "root");
    for (const name of ["bin", "proc", "sys", "dev", "tmp", "run", "modules"])
      mkdirSync(join(root, name), { recursive: true });
    cpSync(busybox(), join(root, "bin/busybox"));
    for (const name of APPLETS) symlinkSync("busybox", join(root, "bin", name));
    for (const [to, from] of Object.entries(guest.files))
      cpSync(from, join(root, to), { recursive: true, dereference: true });
    for (const program of guest.programs ?? []) addProgram(root, program);
    for (const library of guest.libraries ?? []) addLibrary(root, library);
    const modules = (guest.modules ?? []).map((name) => addModule(root, name));
    writeFileSync(join(root, "init"), initOf([...modules, ...guest.commands]));
    chmodSync(join(root, "init"), 0o755);
    run("sh", ["-c", "cd root && find . | cpio -o -H newc --quiet > ../initramfs"], folder);
    const console = join(folder, "console");
    const machine = [
      "-accel",
      // With a thread for each processor, code that one of them writes while the other runs it (V8's) is not always seen: crashes.
      "tcg,thread=single",
      "-cpu",
      "max",
      "-m",
      "1536",
      "-smp",
      "2",
      "-nodefaults",
      "-no-reboot",
      "-display",
      "none",
    ];
    const boot = ["-kernel", kernel, "-initrd", join(folder, "initramfs"), "-append", "console=ttyS0 panic=-1 quiet"];
    spawnSync("qemu-system-x86_64", [...machine, "-serial", `file:${console}`, ...boot], {
      timeout: guest.limitMs,
      stdio: "inherit",
    });
    return existsSync(console) ? readFileSync(console, "latin1") : "";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function initOf(commands: readonly string[]): string {
  const mounts = [
    "mount -t proc proc /proc",
    "mount -t sysfs sys /sys",
    "mount -t devtmpfs dev /dev",
    "mount -t bpf bpf /sys/fs/bpf",
    "mount -t tmpfs tmp /tmp",
    "mount -t tmpfs run /run",
  ];
  const lines = ["#!/bin/sh", "export PATH=/bin HOME=/tmp", ...mounts, 'echo "booted $(uname -r)"'];
  return [...lines, ...commands, "poweroff -f", ""].join("\n");
}

/** Copies a program to /bin and the libraries that the loader finds for it to where they are here. */
function addProgram(root: string, program: string): void {
  const path = realpathSync(program);
  cpSync(path, join(root, "bin", basename(program)));
  for (const [, library = ""] of (run("ldd", [path]) ?? "").matchAll(/(\/\S+) \(0x/g)) addLibrary(root, library);
}

/** Copies a shared library, and those that it needs itself. */
function addLibrary(root: string, library: string): void {
  const to = join(root, library);
  if (existsSync(to)) return;
  mkdirSync(dirname(to), { recursive: true });
  cpSync(realpathSync(library), to);
  for (const [, needed = ""] of (run("ldd", [library]) ?? "").matchAll(/(\/\S+) \(0x/g)) addLibrary(root, needed);
}

/** Copies a module out of the kernel's package; the line that loads it. */
function addModule(root: string, name: string): string {
  const found =
    globSync(`unpacked/lib/modules/*/kernel/**/${name}.ko`, { cwd: CACHE })[0] ?? `${name} is not in the package`;
  cpSync(join(CACHE, found), join(root, "modules", `${name}.ko`));
  return `insmod /modules/${name}.ko`;
}

function busybox(): string {
  return ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "/bin/busybox";
}

function run(command: string, args: readonly string[], cwd?: string): string | undefined {
  const done = spawnSync(command, args, { encoding: "utf8", ...(cwd === undefined ? {} : { cwd }) });
  return done.status === 0 ? done.stdout : undefined;
}
