import type { ErrorCode } from "../api-schema/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { COMMON_ERRORS, READ_BODY_ERRORS, SENT_BODY_ERRORS } from "./openapi.ts";

const NOTE = "<!-- Made from the code by `WEFT_REWRITE=1 npm test`: change it there. -->";

const PREFACE = `# The API

${NOTE}

JSON over HTTP, on a Unix socket (mode 0600) and, when configured, on a loopback address. The whole of it, with every schema, is
in \`GET /v1/openapi.json\`; this page is the map. Errors: [errors.md](errors.md). Sizes: [limits.md](limits.md).

- **Token.** Every request but \`/v1/health\` shows \`Authorization: Bearer TOKEN\`. The server makes the token at its first start
  (\`token-file\`, mode 0600).
- **Ids.** A client may choose the \`id\` (a UUID) of what it creates; the same creation twice is one object (201, then 200).
  Names are unique per kind and tenant; hosts and tunnel zones have no tenant.
- **Versions.** Every object has a \`version\`, which is also its \`ETag\`. A change with \`If-Match\` (or with \`version\` in its
  body) happens only on that version, else 412. A change without one is made on whatever is there.
- **Changes.** \`PATCH\` changes the fields that are named, and \`null\` takes an optional one away (RFC 7396). \`PUT\` replaces all
  that can be written. What was read can be sent back: fields that weft keeps may be repeated, not changed.
- **Unknown fields** and parameters are errors, so that a typing mistake is not a silent default.
- **Lists** hold \`items\` in order of id, \`next\` when there is more (send it as \`after\`), and \`damaged\` for objects that are
  there but cannot be read.
- **Deletions** take along what cannot be without the object: ports with their device, rules with their chain, routes with their
  port. Filters and links to it are cleared.

\`\`\`
curl --unix-socket /run/weft/api.sock -H "Authorization: Bearer $(cat /var/lib/weft/api/token)" \\
  -H 'Content-Type: application/json' -d '{"name":"web"}' http://weft/v1/bridges
\`\`\`
`;

/** Errors that every operation with a body can have: said once, above the tables. */
const OF_BODIES: readonly ErrorCode[] = [...SENT_BODY_ERRORS, ...READ_BODY_ERRORS];

/** The text of docs/reference/api.md. */
export function apiReferencePage(endpoints: readonly Endpoint[]): string {
  const groups = Map.groupBy(endpoints, (endpoint) => endpoint.tag);
  const sections = [...groups].map(([tag, group]) => `## ${tag}\n\n${table(group)}`);
  return `${PREFACE}\n${sharedErrors()}\n\n${sections.join("\n\n")}\n`;
}

function sharedErrors(): string {
  return [
    `Every operation can answer ${quoted(COMMON_ERRORS)}; \`GET /v1/health\` asks for no token.`,
    `Every operation but \`GET\` can answer ${quoted(SENT_BODY_ERRORS)}: what is sent is read before it is known whether it is needed.`,
    `Every operation with a body can answer ${quoted(OF_BODIES)} too. The tables name what is left.`,
  ].join("\n");
}

function quoted(codes: readonly ErrorCode[]): string {
  return codes.map((code) => `\`${code}\``).join(" ");
}

function table(endpoints: readonly Endpoint[]): string {
  const rows = endpoints.map(({ method, path, summary, query, body, errors }) => {
    const parameters = Object.keys(query ?? {});
    const more = parameters.length === 0 ? "" : `; parameters ${parameters.map((name) => `\`${name}\``).join(", ")}`;
    const own = errors.filter(
      (code) => !COMMON_ERRORS.includes(code) && (body === undefined || !OF_BODIES.includes(code)),
    );
    return `| \`${method} ${path}\` | ${summary}${more} | ${quoted(own)} |`;
  });
  return ["| operation | what it does | its own errors |", "| --- | --- | --- |", ...rows].join("\n");
}
