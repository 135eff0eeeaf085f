/**
 * Fetches what the tier's judges need and Debian does not install: Apache ZooKeeper and the kernel that is booted. `.ci/run` does it
 * before the tests, whose time is limited, and repeats it when it ends with 1.
 */
import { apacheClassPath } from "./apache-jars.ts";
import { kernelImage } from "./kernel/boot.ts";

try {
  process.stdout.write(`${apacheClassPath()}\n${kernelImage() ?? "no kernel image"}\n`);
  process.exitCode = kernelImage() === undefined ? 1 : 0;
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
