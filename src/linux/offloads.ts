import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { addressOf, allocate, checked, libc } from "./libc.ts";
import type { Netns } from "./netns.ts";
import { openSocket, socketFamily, socketType } from "./socket.ts";

const ethtoolRequest = 0x8946;
const command = { readRxChecksum: 0x14, readGro: 0x2b, setGro: 0x2c };
const requestBytes = 40;
const nameBytes = 16;

/** An interface, and the namespace that it is in; undefined: the calling thread's. */
export interface InterfacePlace {
  readonly name: string;
  readonly netns: Netns | undefined;
}

/** Whether the kernel joins received segments of a stream on this interface (GRO, `ethtool -k`). */
export function hasGro(place: InterfacePlace): Result<boolean, LinuxError> {
  const read = ethtool(place, `read the offloads of ${place.name}`, { command: command.readGro, value: 0 });
  return read.ok ? ok(read.value !== 0) : read;
}

/** Whether received checksums are verified before the kernel sees them (`rx`, `ethtool -k`). */
export function hasRxChecksum(place: InterfacePlace): Result<boolean, LinuxError> {
  const read = ethtool(place, `read the offloads of ${place.name}`, { command: command.readRxChecksum, value: 0 });
  return read.ok ? ok(read.value !== 0) : read;
}

/** Turns GRO of an interface on or off. */
export function setGro(place: InterfacePlace, isOn: boolean): Result<undefined, LinuxError> {
  const set = ethtool(place, `set GRO of ${place.name}`, { command: command.setGro, value: isOn ? 1 : 0 });
  return set.ok ? ok(undefined) : set;
}

/** One SIOCETHTOOL with a struct ethtool_value; what the kernel left in it. */
function ethtool(
  { name, netns }: InterfacePlace,
  what: string,
  asked: { readonly command: number; readonly value: number },
): Result<number, LinuxError> {
  const open = (): Result<number, LinuxError> =>
    openSocket({ family: socketFamily.inet, type: socketType.datagram, protocol: 0 });
  const socket = netns === undefined ? open() : netns.runResult(open);
  if (!socket.ok) return socket;
  const value = allocate(8);
  const values = new DataView(value.buffer);
  values.setUint32(0, asked.command, true);
  values.setUint32(4, asked.value, true);
  // struct ifreq: the name, then the address of the value.
  const request = allocate(requestBytes);
  request.set(new TextEncoder().encode(name).subarray(0, nameBytes - 1));
  new DataView(request.buffer).setBigUint64(nameBytes, addressOf(value), true);
  const done = checked(what, libc().ioctl(socket.value, ethtoolRequest, request));
  closeFd(socket.value);
  return done.ok ? ok(values.getUint32(4, true)) : done;
}
