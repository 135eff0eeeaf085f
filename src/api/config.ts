import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import { type ListenAddress, parseTcpAddress, socketAddress } from "../base/listen-address.ts";
import { METRICS_LISTEN_HELP } from "../base/metrics-listen.ts";
import { ok, type Result } from "../base/result.ts";
import { storeClientKeys } from "../store/client-config.ts";
import { AGENT_DEADLINE_MS } from "./limits.ts";

/** The keys of the API server: `--key value`, WEFT_KEY or a YAML file. */
export const API_CONFIG = {
  ...storeClientKeys,
  socket: {
    type: "string",
    default: "/run/weft/api.sock",
    help: "Unix socket (mode 0600) to listen on.",
  },
  listen: {
    type: "string",
    help: "Address and port to listen on too, as 127.0.0.1:8181. Beyond loopback put a TLS proxy before it.",
  },
  "token-file": {
    type: "string",
    default: "/var/lib/weft/api/token",
    help: "File with the token that every request must show. Made with mode 0600 when there is none.",
  },
  "metrics-listen": { type: "string", help: METRICS_LISTEN_HELP },
  "agent-deadline": {
    type: "duration",
    default: AGENT_DEADLINE_MS,
    min: 100,
    help: "How long an agent may take for an answer before it is named as missing.",
  },
  "log.level": {
    type: "string",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    help: "Least level of log lines on standard error.",
  },
} as const satisfies ConfigSchema;

/** The values of the API server's configuration. */
export type ApiValues = ConfigValues<typeof API_CONFIG>;

/** The addresses that a configuration asks for. The error is one sentence. */
export function listenAddresses(
  values: Pick<ApiValues, "socket" | "listen">,
): Result<readonly ListenAddress[], string> {
  const { socket, listen } = values;
  const unix = socketAddress("socket", socket);
  if (!unix.ok) return unix;
  if (listen === undefined) return ok([unix.value]);
  const expected = "an address and a port, as 127.0.0.1:8181 or [::1]:8181";
  const tcp = parseTcpAddress(listen, { key: "listen", expected });
  return tcp.ok ? ok([unix.value, { kind: "tcp", ...tcp.value }]) : tcp;
}
