import { join } from "node:path";
import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import { type ListenAddress, parseTcpAddress, socketAddress } from "../base/listen-address.ts";
import { METRICS_LISTEN_HELP } from "../base/metrics-listen.ts";
import { ok, type Result } from "../base/result.ts";

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
  const unix = socketAddress("socket", values.socket ?? join(values["data-folder"], "store.sock"));
  if (!unix.ok || values.listen === undefined) return unix.ok ? ok([unix.value]) : unix;
  const expected = "a loopback address and a port, as 127.0.0.1:2181 or [::1]:2181";
  const tcp = parseTcpAddress(values.listen, { key: "listen", expected, isAllowed: isLoopback });
  return tcp.ok ? ok([unix.value, { kind: "tcp", ...tcp.value }]) : tcp;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
