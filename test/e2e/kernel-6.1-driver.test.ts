import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { test } from "node:test";
import { fileOf } from "../../src/base/entry.ts";
import { compileDatapath } from "../../src/ebpf/fixture/test-host.ts";
import { needs } from "../needs.ts";
import { boot, kernelImage } from "./kernel/boot.ts";

/** Native tests of the driver that are repeated in the guest, by file, and those of a file that are enough: it is emulated, and slow. */
const TESTS = [
  { file: "src/ebpf/one-host.native.test.ts", only: "ping|woken|segment|datagrams" },
  { file: "src/ebpf/two-hosts.native.test.ts", only: "over IPv4" },
  { file: "src/ebpf/restart.native.test.ts", only: "four capabilities" },
] as const;
/** Parts of the repository that they need, beside the programs. */
const PARTS = ["package.json", "src", "bpf", "tools", "build/bpf", "node_modules/koffi", "node_modules/@koromix"];
const MODULES = ["udp_tunnel", "ip6_udp_tunnel", "vxlan", "veth", "tun", "cls_bpf", "sch_ingress"];

/**
 * V8 on an emulated processor now and then aborts by itself (a check of its own, SIGTRAP, before any test began): that says nothing about
 * the driver, so the file is started again. A test that fails ends with another code and is not repeated.
 */
const V8_ABORTED = 128 + constants.signals.SIGTRAP;

function commandOf({ file, only }: (typeof TESTS)[number]): string {
  const run = `timeout 150 node --no-warnings --test-name-pattern="${only}" ${file}; code=$?`;
  return `for attempt in 1 2 3; do ${run}; [ $code = ${V8_ABORTED} ] || break; done; echo "ended ${file} $code"`;
}

function pathOf(command: string): string {
  const folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
  return folders.map((folder) => `${folder}/${command}`).find((path) => existsSync(path)) ?? command;
}

test("the driver does under Debian's 6.1 kernel what it does here: VMs of one host and of two", {
  skip: needs("qemu", "busybox", "cpio", "ping", "iperf3"),
}, (t) => {
  const kernel = kernelImage();
  if (kernel === undefined) return t.skip("the Debian kernel package cannot be fetched (apt-get download)");
  assert.ok(compileDatapath());
  const output = boot(kernel, {
    files: Object.fromEntries(PARTS.map((part) => [`weft/${part}`, fileOf(part)])),
    modules: MODULES,
    // libbpf is opened by name at run time: the loader has to find it too.
    programs: [process.execPath, ...["ping", "iperf3", "nsenter", "env"].map(pathOf)],
    libraries: ["/usr/lib/x86_64-linux-gnu/libbpf.so.1"],
    commands: ["cd /weft", ...TESTS.map(commandOf)],
    limitMs: 330_000,
  });
  assert.match(output, /booted 6\.1\./, output.slice(-4000));
  for (const { file } of TESTS) assert.match(output, new RegExp(`ended ${file} 0\\s`), output.slice(-8000));
});
