import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileOf } from "../../../src/base/entry.ts";

/** What a guest is given: files by their path in it, and the lines of its init after everything is mounted. */
export interface Guest {
  readonly files: Readonly<Record<string, string>>;
  readonly commands: readonly string[];
  readonly limitMs: number;
}

const CACHE = fileOf("build/kernel");
const PACKAGE = "linux-image-cloud-amd64";

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
  if (globSync("linux-image-*.deb", { cwd: CACHE }).length === 0) run("apt-get", ["download", name], CACHE);
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
    for (const name of ["bin", "proc", "sys", "dev"]) mkdirSync(join(root, name), { recursive: true });
    cpSync(busybox(), join(root, "bin/busybox"));
    for (const name of ["sh", "mount", "poweroff", "uname"]) symlinkSync("busybox", join(root, "bin", name));
    for (const [to, from] of Object.entries(guest.files)) cpSync(from, join(root, to));
    writeFileSync(join(root, "init"), initOf(guest.commands));
    chmodSync(join(root, "init"), 0o755);
    run("sh", ["-c", `cd root && find . | cpio -o -H newc --quiet > ../initramfs`], folder);
    const console = join(folder, "console");
    const machine = [
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "512",
      "-smp",
      "1",
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
  ];
  return ["#!/bin/sh", ...mounts, 'echo "booted $(uname -r)"', ...commands, "poweroff -f", ""].join("\n");
}

function busybox(): string {
  return ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "/bin/busybox";
}

function run(command: string, args: readonly string[], cwd?: string): string | undefined {
  const done = spawnSync(command, args, { encoding: "utf8", ...(cwd === undefined ? {} : { cwd }) });
  return done.status === 0 ? done.stdout : undefined;
}
