import { type Frame, type LayerOf, layerOf, parseFrame } from "../wire/frame.ts";
import type { HeaderName } from "../wire/parse-error.ts";
import type { FrameBytes } from "./sim-input.ts";
import type { Walk } from "./walk.ts";

/** The headers of the walked frame, for the few places that need more than the key; undefined without a frame. */
export function layersOf(walk: Walk): Frame | undefined {
  return walk.frame === undefined ? undefined : parseFrame(bytesOf(walk.frame));
}

/** One header of the walked frame, or undefined. */
export function headerOf<Header extends HeaderName>(walk: Walk, header: Header): LayerOf<Header> | undefined {
  const frame = layersOf(walk);
  return frame === undefined ? undefined : layerOf(frame, header);
}

/** The bytes of a frame and nothing else, not copied. */
export function bytesOf(frame: FrameBytes): Uint8Array {
  return frame.bytes.subarray(frame.offset, frame.offset + frame.length);
}
