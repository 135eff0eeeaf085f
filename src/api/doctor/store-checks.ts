import { type Finding, failure, warning, well } from "../../api-schema/doctor-resource.ts";
import type { Clock, Duration, Instant } from "../../base/clock.ts";
import { secretOf } from "../../store/recipes/cluster-secret.ts";
import { parseTerm } from "../../store/recipes/fences.ts";
import { type Layout, layoutVersion } from "../../store/recipes/layout.ts";
import { parseLayout } from "../../store/recipes/layout-document.ts";
import { formatStoreError, type StoreError } from "../../store/recipes/store-error.ts";
import type { StoreClientMetrics } from "../../store/store-client-metrics.ts";
import type { Tree } from "../../store/tree.ts";
import { CLOCK_SKEW_MS, STORE_FAST_MS, STORE_LOOKS } from "../limits.ts";

/** One server of the store, asked by itself. */
export interface StoreServerAnswer {
  readonly server: string;
  /** leader, follower, observer, standalone; undefined: it did not say. */
  readonly mode: string | undefined;
  /** Last transaction, in hexadecimal. */
  readonly zxid?: string;
  /** Why it did not say. */
  readonly why?: string;
}

/** What checks of the store look at. */
export interface StoreParts {
  readonly tree: Tree;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly storeClient: StoreClientMetrics;
  /** Part of the name of a node that nobody else makes. */
  newId(): string;
  /** Asks every server of the configuration by itself. */
  askServers(): Promise<readonly StoreServerAnswer[]>;
}

/** Looks at the store: by our session, and at each of its servers. */
export async function checkStore(parts: StoreParts): Promise<readonly Finding[]> {
  const servers = checkServers(await parts.askServers());
  const { storeClient, tree } = parts;
  if (tree.session.state !== "connected") {
    const found = `${tree.session.state} for ${Math.round(storeClient.disconnectedMs / 1_000)} s: nobody can change anything`;
    const remedy = "start the store, or repair the way to it; what forwards goes on forwarding";
    return [failure("store", { subject: "the API's session", found, remedy }), ...servers];
  }
  const own = [await checkLayout(parts), ...(await checkSingles(parts))];
  return [await checkLatency(parts), ...servers, ...own, await checkStoreClock(parts)];
}

/** That the store has answered and cannot be used: nobody can read or change anything by it. */
export function unusableStore({ root, version }: Layout, error: StoreError): Finding {
  switch (error.kind) {
    case "layout-gone":
      return failure("store-layout", {
        subject: root,
        found: error.why,
        remedy: "weft store check, then weft store restore FILE",
      });
    case "layout-newer": {
      const found = `layout ${error.found}; this release knows up to ${error.supported}`;
      return failure("store-layout", {
        subject: version,
        found,
        remedy: "use the release that wrote it, on every machine",
      });
    }
    case "layout-older": {
      const found = `layout ${error.found}; this release reads ${error.supported}`;
      return failure("store-layout", { subject: version, found, remedy: "weft store migrate --backup FILE" });
    }
    default: {
      const found = `cannot be read: ${formatStoreError(error)}`;
      return failure("store-layout", { subject: root, found, remedy: "weft store check says more" });
    }
  }
}

async function checkLatency({ tree, layout, clock, storeClient }: StoreParts): Promise<Finding> {
  const spans: Duration[] = [];
  for (let i = 0; i < STORE_LOOKS; i++) {
    const from = clock.now();
    await tree.exists(layout.version);
    spans.push(clock.now() - from);
  }
  const median = spans.toSorted((a, b) => a - b)[Math.floor(STORE_LOOKS / 2)] ?? 0;
  const age = Math.round((storeClient.sessionAgeMs ?? 0) / 1_000);
  const found = `connected for ${age} s, time-out ${tree.session.timeoutMs / 1_000} s; a read takes ${median.toFixed(1)} ms`;
  const looked = { subject: "the API's session", found };
  if (median < STORE_FAST_MS) return well("store", looked);
  return warning("store", {
    ...looked,
    remedy: "look at the load and the disks of the store's servers, and the network",
  });
}

async function checkLayout({ tree, layout }: StoreParts): Promise<Finding> {
  const subject = layout.version;
  const read = await tree.get(layout.version);
  if (!read.ok) {
    if (read.error.kind === "no-node") return well("store-layout", { subject, found: "nothing was ever written" });
    return warning("store-layout", {
      subject,
      found: `cannot be read: ${read.error.kind}`,
      remedy: "look at the store",
    });
  }
  const found = parseLayout(read.value.data);
  if (found === undefined) {
    const remedy = "restore it from a backup (weft store restore), or see what else writes there";
    return failure("store-layout", { subject, found: "says no version", remedy });
  }
  const text = `version ${found.layout}`;
  if (found.layout === layoutVersion && found.migratingTo === undefined)
    return well("store-layout", { subject, found: text });
  const going = found.migratingTo === undefined ? "" : `, on its way to ${found.migratingTo}`;
  return warning("store-layout", {
    ...{ subject, found: `${text}${going}; this release writes ${layoutVersion}` },
    remedy: "finish the upgrade: see docs/operations.md",
  });
}

/** Nodes of which there is one, and whose damage shows late: when an agent starts, when somebody is elected. */
async function checkSingles({ tree, layout }: StoreParts): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  const [term, secret] = await Promise.all([tree.get(layout.term), tree.get(layout.secret)]);
  if (term.ok && parseTerm(term.value.data) === undefined) {
    const looked = { subject: layout.term, found: "holds no term: nobody is elected, gets a lock or leases ports" };
    found.push(failure("store-layout", { ...looked, remedy: "weft store check --repair" }));
  }
  if (secret.ok && secretOf(secret.value.data) === undefined) {
    const looked = { subject: layout.secret, found: "holds no secret: agents that start cannot speak to the others" };
    found.push(failure("store-layout", { ...looked, remedy: "weft store check says what to do" }));
  }
  return found;
}

/** The store's clock shows in the time of a node that it makes for us. */
async function checkStoreClock({ tree, layout, clock, newId }: StoreParts): Promise<Finding> {
  const path = `${layout.root}/doctor-${newId()}`;
  const subject = "clock of the store";
  const from = clock.wall();
  const made = await tree.create(path, new Uint8Array(0), { mode: "ephemeral" });
  const until = clock.wall();
  const stat = made.ok ? await tree.exists(path) : made;
  if (made.ok) await tree.remove(path);
  if (!made.ok && made.error.kind === "no-node")
    return well("clocks", { subject, found: "not known: nothing was ever written" });
  if (!stat.ok || stat.value === undefined)
    return warning("clocks", { subject, found: "no node could be made", remedy: "see the store's findings" });
  return clockFinding(subject, { at: stat.value.mtime, from, until });
}

/** A clock that showed `at` at some moment between `from` and `until` of our own. */
export function clockFinding(
  subject: string,
  { at, from, until }: { readonly at: Instant; readonly from: Instant; readonly until: Instant },
): Finding {
  const offset = at < from ? at - from : Math.max(0, at - until);
  const looked = { subject, found: offset === 0 ? "agrees with the API's" : offsetText(offset) };
  if (Math.abs(offset) <= CLOCK_SKEW_MS) return well("clocks", looked);
  const remedy = "run a time service (chrony, systemd-timesyncd) on every machine";
  return warning("clocks", { ...looked, remedy });
}

function offsetText(offset: Duration): string {
  return `${(Math.abs(offset) / 1_000).toFixed(3)} s ${offset < 0 ? "behind" : "ahead of"} the API's`;
}

/** Judges what the servers of the store said of themselves. */
export function checkServers(answers: readonly StoreServerAnswer[]): readonly Finding[] {
  const silent = answers.filter(({ mode }) => mode === undefined);
  const asked = answers.length;
  const down = silent.map(({ server, why = "no answer" }) => {
    const looked = { subject: server, found: why };
    if (/whitelist/.test(why))
      return well("store-servers", { subject: server, found: "does not answer srvr by choice" });
    const remedy = "start it again; its data is on the others";
    return 2 * silent.length < asked
      ? warning("store-servers", { ...looked, remedy })
      : failure("store-servers", { ...looked, remedy: "start it again: without a majority nobody can write" });
  });
  const modes = answers.flatMap(({ mode }) => (mode === undefined ? [] : [mode]));
  const texts = answers.flatMap(({ server, mode, zxid }) =>
    mode === undefined ? [] : [`${server} ${mode} at ${zxid ?? "?"}`],
  );
  const looked = { subject: "servers of the store", found: texts.join(", ") };
  if (modes.length === 0) return down;
  const leaders = modes.filter((mode) => mode === "leader").length;
  if (asked > 1 && modes.includes("standalone")) {
    const remedy =
      "several servers are configured, and one of them is alone: each would have its own cloud; correct --store";
    return [...down, failure("store-servers", { ...looked, remedy })];
  }
  if (asked > 1 && leaders !== 1 && silent.length === 0) {
    const remedy =
      leaders === 0 ? "wait for an election; look at the servers' logs" : "two ensembles are mixed: correct --store";
    return [...down, failure("store-servers", { ...looked, remedy })];
  }
  return [...down, well("store-servers", looked)];
}
