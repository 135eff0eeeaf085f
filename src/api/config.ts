import type { ConfigSchema, ConfigValues } from "../base/config.ts";
import { METRICS_LISTEN_HELP } from "../base/metrics-server.ts";
import { err, ok, type Result } from "../base/result.ts";
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

/** An address to listen on. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** sun_path of unix(7) holds 107 characters and a zero. */
const SOCKET_PATH_BYTES_MAX = 107;

/** The addresses that a configuration asks for. The error is one sentence. */
export function listenAddresses(
  values: Pick<ApiValues, "socket" | "listen">,
): Result<readonly ListenAddress[], string> {
  const { socket, listen } = values;
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
    return err(`socket: ${socket} is longer than the ${SOCKET_PATH_BYTES_MAX} bytes that a socket path may have`);
  }
  const unix = { kind: "unix", path: socket } as const;
  if (listen === undefined) return ok([unix]);
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(listen) ?? [];
  const isPort = port !== "" && Number(port) <= 65_535;
  if (!isPort) return err(`listen: ${listen}: expected an address and a port, as 127.0.0.1:8181 or [::1]:8181`);
  return ok([unix, { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port: Number(port) }]);
}
