import type { ConfigSchema, ConfigValues } from "../base/config.ts";

/** The keys by which a process reaches the store: part of the schema of every process that does. */
export const storeClientKeys = {
  store: {
    type: "list",
    default: ["unix:/var/lib/weft/store/store.sock"],
    help: "Servers of the store: unix:/path or host:port, comma separated.",
  },
  "store-secret-file": { type: "string", help: "File with the secret that the store wants on TCP." },
  "store-private": {
    type: "boolean",
    default: false,
    help: "New nodes in the store belong to who has the secret alone. For ZooKeeper; needs store-secret-file.",
  },
  "store-tls": {
    type: "boolean",
    default: false,
    help: "Speak TLS with the store, and check its certificate. Not for unix:.",
  },
  "store-tls-ca": {
    type: "string",
    help: "PEM file of the authorities that vouch for the store. Default: the system's.",
  },
  "store-tls-cert": { type: "string", help: "PEM file of our own certificate, for a store that asks for one." },
  "store-tls-key": { type: "string", help: "PEM file of the key of that certificate." },
  "session-timeout": {
    type: "duration",
    default: 10_000,
    min: 1_000,
    help: "Session with the store: after this long without us, what we published goes.",
  },
} as const satisfies ConfigSchema;

/** What to do when the store does not take our secret. */
export const SECRET_REMEDY = "--store-secret-file has to hold the secret with which its nodes were made";

/** The values of those keys. */
export type StoreClientValues = ConfigValues<typeof storeClientKeys>;
