import type * as Http from "node:http";

/**
 * Node's HTTP without what comes with `import ... from "node:http"`: an import evaluates every export of a built-in module, and one of
 * these (`WebSocket`) is a getter that loads Node's HTTP client for `fetch`, its HTTP/2 and compression, 10 MB of each process.
 */
const http: typeof Http = process.getBuiltinModule("node:http");

/** As in node:http. */
export const { Agent, createServer, request } = http;
