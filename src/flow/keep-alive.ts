import {
  KEEPALIVE_BYTES,
  KEEPALIVE_ETHERTYPE,
  KEEPALIVE_REPLY,
  KEEPALIVE_REQUEST,
  KEEPALIVE_SECRET,
  KEEPALIVE_VERSION,
} from "./layout.ts";
import { sipHash24 } from "./siphash.ts";

/** Where the words of a keep-alive begin in its frame: behind the Ethernet header. */
const BODY_AT = 14;
const BODY_WORDS = 8;
const MAC_AT = 6;
/** MAC addresses of every keep-alive: local ones that no device has. Nobody looks at them. */
const MACS = [0x02, 0x77, 0x65, 0x66, 0x74, 0x02, 0x02, 0x77, 0x65, 0x66, 0x74, 0x01];

/** What a keep-alive says. */
export interface KeepAlive {
  readonly kind: typeof KEEPALIVE_REQUEST | typeof KEEPALIVE_REPLY;
  /** Epochs of the hosts. */
  readonly sender: number;
  readonly receiver: number;
  /** A whole number below 2^53 that grows with every request to this peer. */
  readonly sequence: number;
  /** The request's time in microseconds, modulo 2^32. */
  readonly timeUs: number;
  /** Of a reply: length of the inner frame of the request. */
  readonly requestBytes: number;
  /** Of a request: how many before it, in a row, the sender has heard nothing to. 0 also from releases that do not say. */
  readonly unheard: number;
}

/** Makes the frame of a keep-alive, `bytes` long (at least KEEPALIVE_BYTES). `secret` has four words. */
export function buildKeepAlive(keepAlive: KeepAlive, secret: ArrayLike<number>, bytes = KEEPALIVE_BYTES): Uint8Array {
  const { kind, sender, receiver, sequence, timeUs, requestBytes, unheard } = keepAlive;
  const said = kind === KEEPALIVE_REQUEST ? unheard : requestBytes;
  const head = (KEEPALIVE_VERSION | (kind << 8) | (Math.min(said, 0xffff) << 16)) >>> 0;
  const body = new Uint32Array(BODY_WORDS);
  body.set([head, sender, receiver, sequence >>> 0, Math.floor(sequence / 0x1_0000_0000), timeUs >>> 0]);
  body.set(sipHash24(secret, body, { from: 0, to: MAC_AT }), MAC_AT);
  const frame = new Uint8Array(Math.max(bytes, KEEPALIVE_BYTES));
  frame.set(MACS);
  frame.set([KEEPALIVE_ETHERTYPE >>> 8, KEEPALIVE_ETHERTYPE & 0xff], 12);
  frame.set(new Uint8Array(body.buffer), BODY_AT);
  return frame;
}

/** Reads a keep-alive of `sender` for `receiver`; undefined: it is none, or not made with the secret. */
export function readKeepAlive(
  frame: Uint8Array,
  parties: { readonly sender: number; readonly receiver: number },
  secret: ArrayLike<number>,
): KeepAlive | undefined {
  if (frame.length < KEEPALIVE_BYTES) return undefined;
  const body = new Uint32Array(frame.slice(BODY_AT, BODY_AT + 4 * BODY_WORDS).buffer);
  const [head = 0, sender = 0, receiver = 0, low = 0, high = 0, timeUs = 0] = body;
  const kind = (head >>> 8) & 0xff;
  if ((head & 0xff) !== KEEPALIVE_VERSION || sender !== parties.sender || receiver !== parties.receiver)
    return undefined;
  if (kind !== KEEPALIVE_REQUEST && kind !== KEEPALIVE_REPLY) return undefined;
  const mac = sipHash24(secret, body, { from: 0, to: MAC_AT });
  if (body[MAC_AT] !== mac[0] || body[MAC_AT + 1] !== mac[1]) return undefined;
  const said = head >>> 16;
  const [requestBytes, unheard] = kind === KEEPALIVE_REQUEST ? [0, said] : [said, 0];
  return { kind, sender, receiver, sequence: high * 0x1_0000_0000 + low, timeUs, requestBytes, unheard };
}

/** What this host says of itself in record 0 of the keep-alive records; `secret` undefined: not known yet. */
export interface OwnKeepAlive {
  readonly epoch: number;
  readonly secret: ArrayLike<number>;
}

/** Writes record 0. Meanwhile, for an instant, keep-alives are refused. */
export function writeOwnKeepAlive(keepAlives: Uint32Array, own: OwnKeepAlive): void {
  Atomics.store(keepAlives, 0, 0);
  keepAlives[1] = own.epoch;
  keepAlives.set(own.secret, KEEPALIVE_SECRET);
  Atomics.store(keepAlives, 0, 1);
}

/** Reads record 0; undefined: there is no secret yet. */
export function readOwnKeepAlive(keepAlives: Uint32Array): OwnKeepAlive | undefined {
  if (Atomics.load(keepAlives, 0) !== 1) return undefined;
  const secret = keepAlives.slice(KEEPALIVE_SECRET, KEEPALIVE_SECRET + 4);
  return { epoch: keepAlives[1] as number, secret };
}

/** Reads a sequence of a keep-alive record: its words are at `at`, low first. */
export function sequenceAt(keepAlives: Uint32Array, at: number): number {
  return (keepAlives[at + 1] as number) * 0x1_0000_0000 + (keepAlives[at] as number);
}

/** Writes a sequence of a keep-alive record. */
export function setSequenceAt(keepAlives: Uint32Array, at: number, sequence: number): void {
  keepAlives[at] = sequence >>> 0;
  keepAlives[at + 1] = Math.floor(sequence / 0x1_0000_0000);
}
