import swagger from "@fastify/swagger";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { SupportPart } from "../api-schema/doctor-resource.ts";
import { type ApiError, apiError, statusOf } from "../api-schema/errors.ts";
import { BODY_BYTES_MAX } from "../api-schema/limits.ts";
import type { Clock } from "../base/clock.ts";
import { EXPOSITION_TYPE } from "../base/exposition.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { TokenCheck } from "../base/token-check.ts";
import type { Id } from "../model/objects.ts";
import { KINDS, MODEL_REGISTRY } from "../model/registry.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";
import type { Agents } from "./agents.ts";
import type { ApiMetrics } from "./api-metrics.ts";
import { childEndpoints } from "./child-endpoints.ts";
import type { DeviceTables } from "./device-tables.ts";
import type { CloudDoctorParts } from "./doctor/doctor.ts";
import { doctorEndpoints } from "./doctor-endpoints.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import type { Facts } from "./facts.ts";
import { hostEndpoints } from "./host-endpoints.ts";
import { HEADERS_WITHIN_MS, REQUEST_WITHIN_MS } from "./limits.ts";
import { objectEndpoints } from "./object-endpoints.ts";
import { Objects } from "./objects.ts";
import { errorSchema, routeSchema } from "./openapi.ts";
import { memberEndpoints, portEndpoints } from "./port-endpoints.ts";
import { fdbEndpoints, neighborEndpoints } from "./table-endpoints.ts";
import { Watches } from "./watch-endpoint.ts";

/** What the API is made of. Drivers are behind the interfaces; `main.ts` chooses them. */
export interface ApiParts {
  readonly topology: TopologyStore;
  readonly facts: Facts;
  readonly tables: DeviceTables;
  readonly agents: Agents;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ApiMetrics;
  /** Where the doctor finds the store, beyond the other parts. */
  readonly store: Pick<CloudDoctorParts, "tree" | "layout" | "storeClient" | "askServers">;
  /** What this process adds to a bundle. */
  support(): SupportPart;
  /** The token that every request must show. */
  readonly token: string;
  readonly release: string;
  newId(): Id;
}

/** The API as a server that does not listen yet; `ready()` it, then pass requests to `routing`, or `inject` them. */
export interface ApiServer {
  readonly http: FastifyInstance;
  readonly endpoints: readonly Endpoint[];
  /** Ends watches and connections. What the parts hold stays open. */
  close(): Promise<void>;
}

/** Makes the server with all its routes. */
export async function createApiServer(parts: ApiParts): Promise<ApiServer> {
  const watches = new Watches(parts);
  parts.metrics.watches = () => watches.count;
  const endpoints = endpointsOf(parts, watches);
  const http = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_WITHIN_MS,
    http: { headersTimeout: HEADERS_WITHIN_MS },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    forceCloseConnections: true,
    // A path that is none never comes to a route, nor to the other handlers.
    frameworkErrors: (_error, request, reply) =>
      refuse(reply as FastifyReply, apiError("no-path", { object: request.url })),
  });
  // Bodies are checked by the checker that the model uses, so that every error names field and expectation alike.
  http.setValidatorCompiler(() => () => true);
  http.setSerializerCompiler(() => (value) => JSON.stringify(value));
  readJsonStrictly(http);
  authenticate(http, { check: new TokenCheck(parts.token), endpoints });
  measure(http, endpoints, parts);
  http.setErrorHandler((error, _request, reply) => refuse(reply, errorOfFramework(error, parts.log)));
  http.setNotFoundHandler((request, reply) => refuse(reply, noRoute(endpoints, request)));
  await http.register(swagger, documentOptions(parts.release));
  http.addSchema(errorSchema);
  await http.register(async (routes) => {
    for (const endpoint of endpoints) addRoute(routes, endpoint, parts.log);
    routes.get("/metrics", { schema: { hide: true } }, (_request, reply) =>
      reply.type(EXPOSITION_TYPE).send(parts.metrics.text()),
    );
    routes.get("/v1/openapi.json", { schema: { hide: true } }, () => http.swagger());
  });
  return {
    http,
    endpoints,
    close: async () => {
      watches.close();
      await http.close();
    },
  };
}

function endpointsOf(parts: ApiParts, watches: Watches): readonly Endpoint[] {
  const objects = new Objects(parts.topology, parts.facts, () => parts.newId());
  const { tables, agents, facts, clock, metrics } = parts;
  return [
    ...rootEndpoints(parts.release),
    ...objectEndpoints(objects),
    ...childEndpoints(objects),
    ...portEndpoints(objects, clock),
    ...memberEndpoints(objects),
    ...fdbEndpoints(objects, tables),
    ...neighborEndpoints(objects, tables),
    ...hostEndpoints({ objects, tables, agents, facts, metrics }),
    ...doctorEndpoints({
      ...{ objects, tables, agents, facts, metrics },
      doctor: { ...parts, ...parts.store },
      support: () => parts.support(),
    }),
    watches.endpoint(),
  ];
}

function rootEndpoints(release: string): readonly Endpoint[] {
  const links = Object.fromEntries(KINDS.map((kind) => [kind, `/v1/${MODEL_REGISTRY[kind].plural}`]));
  const shared = { method: "GET", tag: "root", status: 200, errors: [] } as const;
  return [
    {
      ...shared,
      path: "/v1",
      operation: "getRoot",
      summary: "Release of the server, and where each kind of object is",
      answer: { type: "object" },
      handle: async () => ok({ body: { release, kinds: links, document: "/v1/openapi.json" } }),
    },
    {
      ...shared,
      path: "/v1/health",
      operation: "getHealth",
      summary: "Answers when the server runs; needs no token",
      answer: { type: "object" },
      isOpen: true,
      handle: async () => ok({ body: { status: "ok", release } }),
    },
  ];
}

function addRoute(routes: FastifyInstance, endpoint: Endpoint, log: Log): void {
  routes.route({
    method: endpoint.method,
    url: routeOf(endpoint.path),
    schema: routeSchema(endpoint),
    handler: async (request, reply) => {
      const asked = requestOf(endpoint, request);
      if (asked.ok && endpoint.isStream === true) reply.hijack();
      const result = asked.ok ? await endpoint.handle({ ...asked.value, raw: rawOf(request, reply) }) : asked;
      if (!result.ok)
        return endpoint.isStream === true && asked.ok ? refuseRaw(reply, result.error) : refuse(reply, result.error);
      if (endpoint.isStream === true) return reply;
      log.debug("api.done", { operation: endpoint.operation });
      return answer(reply, endpoint, result.value);
    },
  });
}

/** A path as the router writes it. */
function routeOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

function rawOf(request: FastifyRequest, reply: FastifyReply): ApiRequest["raw"] {
  return { request: request.raw, response: reply.raw };
}

function requestOf(endpoint: Endpoint, request: FastifyRequest): Result<Omit<ApiRequest, "raw">, ApiError> {
  const params = request.params as Readonly<Record<string, string>>;
  // The router takes an empty part of a path for a value.
  if (Object.values(params).includes("")) return err(apiError("no-path", { object: pathOf(request) }));
  const query = request.query as Readonly<Record<string, string | readonly string[]>>;
  const known = Object.keys(endpoint.query ?? {});
  for (const [name, value] of Object.entries(query)) {
    const expected = known.length === 0 ? "no parameters" : `only ${known.join(", ")}`;
    if (!known.includes(name)) return err(apiError("bad-query", { field: name, expected }));
    if (typeof value !== "string") return err(apiError("bad-query", { field: name, expected: "one value" }));
  }
  const header = request.headers["if-match"];
  const tag = /^(?:W\/)?"([0-9]{1,15})"$/.exec(header ?? "")?.[1];
  if (header !== undefined && header !== "*" && tag === undefined) {
    return err(apiError("bad-query", { field: "If-Match", expected: 'an ETag such as "3", or *' }));
  }
  return ok({
    params,
    query: query as Readonly<Record<string, string>>,
    body: request.body,
    ifMatch: tag === undefined ? undefined : Number(tag),
  });
}

function answer(reply: FastifyReply, endpoint: Endpoint, { body, status, version, location }: Answer): FastifyReply {
  if (version !== undefined) reply.header("etag", `"${version}"`);
  if (location !== undefined) reply.header("location", location);
  reply.status(status ?? endpoint.status);
  return body === undefined ? reply.send() : reply.type("application/json").send(JSON.stringify(body));
}

function refuse(reply: FastifyReply, error: ApiError): FastifyReply {
  if (error.code === "unauthenticated") reply.header("www-authenticate", "Bearer");
  return reply.status(statusOf(error.code)).type("application/json").send(JSON.stringify({ error }));
}

function refuseRaw(reply: FastifyReply, error: ApiError): FastifyReply {
  reply.raw.writeHead(statusOf(error.code), { "content-type": "application/json" });
  reply.raw.end(JSON.stringify({ error }));
  return reply;
}

/** JSON and nothing else; a body that is empty counts as none. */
function readJsonStrictly(http: FastifyInstance): void {
  http.removeAllContentTypeParsers();
  http.addContentTypeParser(
    /^application\/(?:json|merge-patch\+json)(?:;|$)/,
    { parseAs: "string" },
    (_request, text, done) => {
      if (text === "") return done(null, undefined);
      try {
        done(null, JSON.parse(text as string));
      } catch (error) {
        done(new NotJson(error instanceof Error ? error.message : "unreadable"));
      }
    },
  );
}

class NotJson extends Error {
  readonly code = "WEFT_NOT_JSON";
}

interface Gate {
  readonly check: TokenCheck;
  readonly endpoints: readonly Endpoint[];
}

function authenticate(http: FastifyInstance, { check, endpoints }: Gate): void {
  const open = new Set(endpoints.filter((endpoint) => endpoint.isOpen === true).map((endpoint) => endpoint.path));
  http.addHook("onRequest", async (request, reply) => {
    if (open.has(request.routeOptions.url ?? "") || check.accepts(request.headers.authorization)) return;
    await refuse(reply, apiError("unauthenticated"));
  });
}

function measure(http: FastifyInstance, endpoints: readonly Endpoint[], { metrics, clock }: ApiParts): void {
  const operations = new Map(endpoints.map(({ method, path, operation }) => [`${method} ${routeOf(path)}`, operation]));
  const arrivals = new WeakMap<FastifyRequest, number>();
  http.addHook("onRequest", async (request) => void arrivals.set(request, clock.now()));
  http.addHook("onResponse", async (request, reply) => {
    const operation = operations.get(`${request.method} ${request.routeOptions.url ?? ""}`) ?? "none";
    metrics.answered(operation, reply.statusCode, clock.now() - (arrivals.get(request) ?? clock.now()));
  });
}

/** Errors that fastify finds before a handler runs; anything else is a bug, told to the log and not to the client. */
function errorOfFramework(error: unknown, log: Log): ApiError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "WEFT_NOT_JSON":
      return apiError("bad-json", { expected: `JSON (${(error as Error).message})` });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return apiError("bad-content-type", { field: "Content-Type", expected: "application/json" });
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return apiError("body-too-large", { expected: `at most ${BODY_BYTES_MAX} bytes` });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return apiError("bad-json", { expected: "as many bytes as Content-Length says" });
    default:
      log.error("api.bug", { what: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      return apiError("internal");
  }
}

/** A path that exists for other methods is told from one that does not exist. */
function noRoute(endpoints: readonly Endpoint[], request: FastifyRequest): ApiError {
  const path = pathOf(request).replace(/(?<=.)\/$/, "");
  const methods = endpoints.filter((endpoint) => patternOf(endpoint.path).test(path)).map(({ method }) => method);
  if (methods.length === 0) return apiError("no-path", { object: path });
  return apiError("bad-method", { object: path, expected: `one of ${[...new Set(methods)].join(", ")}` });
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? "";
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`);
}

function documentOptions(release: string) {
  return {
    openapi: {
      openapi: "3.1.0",
      info: { title: "weft", description: "A distributed virtual network", version: release },
      components: { securitySchemes: { token: { type: "http" as const, scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    refResolver: {
      // Components keep the names that we gave them.
      buildLocalReference: (json: { readonly $id?: string }) => json.$id ?? "Unnamed",
    },
  };
}
