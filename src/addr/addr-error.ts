/** Why a text is no address: which kind was wanted, the text itself, and what was expected. */
export interface AddrError {
  readonly kind: "bad-mac" | "bad-ipv4" | "bad-ipv6" | "bad-ip" | "bad-prefix" | "bad-vlan";
  readonly text: string;
  readonly expected: string;
}
