import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { allocate, checked, libc } from "./libc.ts";
import { openSocket, socketFamily, socketType } from "./socket.ts";
import { disableIpv6 } from "./sysctl.ts";

const request = { getFlags: 0x8913, setFlags: 0x8914, getIndex: 0x8933 };
const flag = { up: 0x1, noArp: 0x80, multicast: 0x1000 };
const requestBytes = 40;
const nameBytes = 16;

/**
 * Sets an interface of the calling thread's namespace up so that the kernel says nothing on it of its own: no IPv6, no ARP, no
 * multicast. Its ifindex. For threads that have no netlink connection.
 */
export function startSilently(name: string): Result<number, LinuxError> {
  const silent = disableIpv6(name);
  if (!silent.ok) return silent;
  const socket = openSocket({ family: socketFamily.inet, type: socketType.datagram, protocol: 0 });
  if (!socket.ok) return socket;
  const started = start(socket.value, name);
  closeFd(socket.value);
  return started;
}

function start(socket: number, name: string): Result<number, LinuxError> {
  // struct ifreq: the name, then a union of what is asked.
  const bytes = allocate(requestBytes);
  bytes.set(new TextEncoder().encode(name).subarray(0, nameBytes - 1));
  const view = new DataView(bytes.buffer);
  const index = checked(`find ${name}`, libc().ioctl(socket, request.getIndex, bytes));
  if (!index.ok) return index;
  const ifindex = view.getInt32(nameBytes, true);
  const got = checked(`read the flags of ${name}`, libc().ioctl(socket, request.getFlags, bytes));
  if (!got.ok) return got;
  const flags = (view.getInt16(nameBytes, true) | flag.up | flag.noArp) & ~flag.multicast;
  view.setInt16(nameBytes, flags, true);
  const set = checked(`set ${name} up`, libc().ioctl(socket, request.setFlags, bytes));
  return set.ok ? ok(ifindex) : set;
}
