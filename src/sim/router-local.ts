import { macFrom } from "../addr/mac.ts";
import { FRAGMENT_NO, FRAME_IP4 } from "../flow/layout.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { layerOf } from "../wire/frame.ts";
import { ICMPV4_TYPE } from "../wire/icmpv4.ts";
import { ICMPV6_TYPE } from "../wire/icmpv6.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { layersOf } from "./frame-layers.ts";
import { sendIcmpError } from "./icmp-error.ts";
import type { Step } from "./step.ts";
import type { Hop, Walk } from "./walk.ts";

/**
 * An IP packet for the router itself: echo requests are answered, UDP is told that nobody listens (traceroute ends by that),
 * the rest is dropped. Fragments are not put together.
 */
export function atRouterItself(walk: Walk, hop: Hop): Step {
  const { packet } = walk;
  const isV4 = packet.frameClass === FRAME_IP4;
  const { protocol } = packet;
  if (packet.fragment !== FRAGMENT_NO) return walk.drop("local-unhandled", "fragment");
  if (protocol === (isV4 ? IP_PROTOCOL.icmpv4 : IP_PROTOCOL.icmpv6)) {
    const isRequest = packet.icmpType === (isV4 ? ICMPV4_TYPE.echoRequest : ICMPV6_TYPE.echoRequest);
    if (isRequest && packet.icmpCode === 0) return answerEcho(walk, hop);
    return walk.drop("local-unhandled");
  }
  if (protocol === IP_PROTOCOL.udp) sendIcmpError(walk, hop, { kind: "port-unreachable" });
  else if (protocol !== IP_PROTOCOL.tcp) sendIcmpError(walk, hop, { kind: "protocol-unreachable" });
  else return walk.drop("local-unhandled");
  return walk.dropForNow("local-unhandled");
}

function answerEcho(walk: Walk, hop: Hop): Step {
  if (walk.isCheck) return walk.needFrame();
  const frame = layersOf(walk);
  const { port } = hop;
  if (frame === undefined || port === undefined) return walk.dropOnce("malformed");
  if (walk.sink !== undefined) walk.note("answer: echo reply");
  const eth = { dst: macFrom(hop.macHigh, hop.macLow), src: port.mac };
  const payload = frame.bytes.slice(frame.payload.offset, frame.payload.end);
  const ipv4 = layerOf(frame, "ipv4")?.fields;
  const icmpv4 = layerOf(frame, "icmpv4")?.fields;
  if (ipv4 !== undefined && icmpv4?.kind === "echo-request") {
    const { dst, src, dscp, identification } = ipv4;
    const ip = { src: dst, dst: src, dscp, identification };
    walk.emit(port, buildFrame({ eth, ipv4: ip, icmpv4: { ...icmpv4, kind: "echo-reply" }, payload }));
    return walk.consume();
  }
  const ipv6 = layerOf(frame, "ipv6")?.fields;
  const icmpv6 = layerOf(frame, "icmpv6")?.fields;
  if (ipv6 === undefined || icmpv6?.kind !== "echo-request") return walk.dropOnce("malformed");
  const ip = { src: ipv6.dst, dst: ipv6.src, dscp: ipv6.dscp };
  walk.emit(port, buildFrame({ eth, ipv6: ip, icmpv6: { ...icmpv6, kind: "echo-reply" }, payload }));
  return walk.consume();
}
