import { readFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";
import type { StoreClientValues } from "../store/client-config.ts";
import { type ConnectOptions, digest } from "./connect.ts";
import { parseServer } from "./servers.ts";
import type { TlsOptions } from "./transport.ts";

/**
 * How a process reaches the store, from its configuration. Files are read now; the error is one sentence. `onSecret` hears the
 * secret, so that a log can hide it.
 */
export function clientSettings(
  values: StoreClientValues,
  onSecret: (secret: string) => void = () => undefined,
): Result<ConnectOptions, string> {
  for (const text of values.store) {
    const server = parseServer(text);
    if (!server.ok) return err(`store: ${server.error}`);
  }
  const secret = fileOf("store-secret-file", values["store-secret-file"]);
  if (!secret.ok) return secret;
  if (secret.value !== undefined) onSecret(secret.value.trim());
  if (values["store-private"] && secret.value === undefined)
    return err("store-private: nodes that belong to nobody could not be read again: give store-secret-file too");
  const tls = tlsOf(values);
  if (!tls.ok) return tls;
  const local = values.store.find((text) => text.startsWith("unix:"));
  if (tls.value !== undefined && local !== undefined)
    return err(`store-tls: ${local} is a socket of this machine and is never encrypted: leave store-tls out`);
  return ok({
    servers: values.store,
    timeoutMs: values["session-timeout"],
    ...(secret.value && { auth: [digest(`weft:${secret.value.trim()}`)] }),
    ...(values["store-private"] && { isPrivate: true }),
    ...(tls.value && { tls: tls.value }),
  });
}

function tlsOf(values: StoreClientValues): Result<TlsOptions | undefined, string> {
  const ca = fileOf("store-tls-ca", values["store-tls-ca"]);
  const certificate = fileOf("store-tls-cert", values["store-tls-cert"]);
  const key = fileOf("store-tls-key", values["store-tls-key"]);
  if (!ca.ok) return ca;
  if (!certificate.ok) return certificate;
  if (!key.ok) return key;
  const hasFiles = ca.value !== undefined || certificate.value !== undefined || key.value !== undefined;
  // A file without the switch would mean traffic in the clear that somebody believes to be encrypted.
  if (!values["store-tls"])
    return hasFiles ? err("store-tls-*: files are given, but store-tls is not on") : ok(undefined);
  if ((certificate.value === undefined) !== (key.value === undefined))
    return err("store-tls-cert and store-tls-key belong together: give both or none");
  return ok({
    ...(ca.value && { ca: ca.value }),
    ...(certificate.value && { certificate: certificate.value }),
    ...(key.value && { key: key.value }),
  });
}

function fileOf(key: string, path: string | undefined): Result<string | undefined, string> {
  if (path === undefined) return ok(undefined);
  try {
    const text = readFileSync(path, "utf8");
    return text.trim() === "" ? err(`${key}: ${path} is empty`) : ok(text);
  } catch (error) {
    return err(`${key}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
