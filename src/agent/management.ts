import { readFileSync } from "node:fs";
import type { RequestListener, Server } from "node:http";
import { isIP } from "node:net";
import { createServer } from "../base/http.ts";
import { formatTcpAddress, parseTcpAddress, type TcpAddress } from "../base/listen-address.ts";
import { err, ok, type Result } from "../base/result.ts";
import { TokenCheck } from "../base/token-check.ts";
import type { AgentValues } from "./config.ts";
import { MANAGEMENT_CONNECTIONS_MAX, MANAGEMENT_REQUEST_MS } from "./limits.ts";

/** Where an agent can be asked from other machines, and the secret that whoever asks must show. */
export interface Management extends TcpAddress {
  readonly token: string;
}

/** What the keys `api-listen` and `api-token-file` say; undefined: by the Unix socket only. The error is one sentence. */
export function managementOf(values: AgentValues): Result<Management | undefined, string> {
  const { "api-listen": listen, "api-token-file": tokenFile } = values;
  if (listen === undefined) return ok(undefined);
  const expected = "an address of this host and a port, as 10.0.0.5:6678, for others connect to it";
  const address = parseTcpAddress(listen, { key: "api-listen", expected, minPort: 1, isAllowed: isOne });
  if (!address.ok) return address;
  if (tokenFile === undefined)
    return err("api-token-file is missing: api-listen needs the cloud's token, that of the API");
  try {
    const token = readFileSync(tokenFile, "utf8").trim();
    if (/^\S+$/.test(token)) return ok({ ...address.value, token });
    return err(`api-token-file: ${tokenFile}: expected one word`);
  } catch (error) {
    return err(`api-token-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The address at which the API asks the agent, as it is published. */
export function publishedAddress(values: AgentValues, management: Management | undefined): string {
  if (management === undefined) return `unix:${values["api-socket"]}`;
  return `http://${formatTcpAddress(management)}`;
}

/** Serves the agent's API, for those who show the token. The error is one sentence. */
export function listenManagement(management: Management, handle: RequestListener): Promise<Result<Server, string>> {
  const { host, port } = management;
  const check = new TokenCheck(management.token);
  const limits = { requestTimeout: MANAGEMENT_REQUEST_MS, headersTimeout: MANAGEMENT_REQUEST_MS };
  const server = createServer(limits, (request, response) => {
    if (check.accepts(request.headers.authorization)) return handle(request, response);
    response.writeHead(401, { "www-authenticate": "Bearer", "content-type": "application/json" });
    response.end(JSON.stringify({ error: { code: "unauthenticated" } }));
  });
  server.maxConnections = MANAGEMENT_CONNECTIONS_MAX;
  return new Promise((resolve) => {
    server.once("error", (error) =>
      resolve(err(`api-listen: cannot listen on ${formatTcpAddress(management)}: ${error.message}`)),
    );
    server.listen({ host, port }, () => resolve(ok(server)));
  });
}

/** One address, not a name and not all of them. */
function isOne(host: string): boolean {
  return isIP(host) !== 0 && !/^[0.:]+$/.test(host);
}
