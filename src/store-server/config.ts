import { join } from "node:path";
import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import { METRICS_LISTEN_HELP } from "../base/metrics-server.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ListenAddress } from "./listener.ts";

/** The keys of the store server: `--key value`, WEFT_KEY or a YAML file. */
export const storeServerSchema = {
  "data-folder": {
    type: "string",
    default: "/var/lib/weft/store",
    help: "Folder that holds everything the store knows, and its secret. Made with mode 0700.",
  },
  socket: {
    type: "string",
    help: "Path of the Unix socket (mode 0600; who can open it may do everything). Default: store.sock in the data folder.",
  },
  listen: {
    type: "string",
    help: "Loopback address and port to listen on too, as 127.0.0.1:2181; clients must show the secret there.",
  },
  "metrics-listen": { type: "string", help: METRICS_LISTEN_HELP },
  "log.level": {
    type: "string",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    help: "Least level of log lines on standard error.",
  },
} as const satisfies ConfigSchema;

/** The values of the store server's configuration. */
export type StoreServerValues = ConfigValues<typeof storeServerSchema>;

/** The addresses that a configuration asks for. The error is one sentence. */
export function listenAddresses(values: StoreServerValues): Result<readonly ListenAddress[], string> {
  const unix: ListenAddress = { kind: "unix", path: values.socket ?? join(values["data-folder"], "store.sock") };
  // sun_path of unix(7) holds 107 characters and a zero.
  if (Buffer.byteLength(unix.path) > 107)
    return err(`socket: ${unix.path} is longer than the 107 bytes that a socket path may have`);
  if (values.listen === undefined) return ok([unix]);
  const tcp = parseLoopback(values.listen);
  return tcp === undefined
    ? err(`listen: ${values.listen}: expected a loopback address and a port, as 127.0.0.1:2181 or [::1]:2181`)
    : ok([unix, tcp]);
}

function parseLoopback(text: string): ListenAddress | undefined {
  const match = /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || match[1] === undefined || port > 0xffff) return undefined;
  return { kind: "tcp", host: match[1].replace(/^\[|\]$/g, ""), port };
}
