import type { Verb } from "./command.ts";

const objects = "Objects (host, tunnel-zone, bridge, router, port, route, chain, rule)";
const ports = "Ports, hosts and tables";
const look = "Looking at what happens";
const processes = "Processes";

/** Every verb, in the order of `weft --help`. */
export const VERBS: readonly Verb[] = [
  {
    name: "create",
    group: objects,
    summary: "creates an object",
    load: async () => (await import("./object-commands.ts")).createVerb,
  },
  {
    name: "show",
    group: objects,
    summary: "shows one object",
    load: async () => (await import("./object-commands.ts")).showVerb,
  },
  {
    name: "list",
    group: objects,
    summary: "lists objects of a kind",
    load: async () => (await import("./object-commands.ts")).listVerb,
  },
  {
    name: "update",
    group: objects,
    summary: "changes an object",
    load: async () => (await import("./object-commands.ts")).updateVerb,
  },
  {
    name: "delete",
    group: objects,
    summary: "deletes objects",
    load: async () => (await import("./object-commands.ts")).deleteVerb,
  },
  {
    name: "bind",
    group: ports,
    summary: "binds a port to an interface of a host",
    load: async () => (await import("./port-commands.ts")).bindVerb,
  },
  {
    name: "unbind",
    group: ports,
    summary: "takes a port's binding away",
    load: async () => (await import("./port-commands.ts")).unbindVerb,
  },
  {
    name: "link",
    group: ports,
    summary: "links two ports of different devices",
    load: async () => (await import("./port-commands.ts")).linkVerb,
  },
  {
    name: "unlink",
    group: ports,
    summary: "takes a link away, at both ends",
    load: async () => (await import("./port-commands.ts")).unlinkVerb,
  },
  {
    name: "join",
    group: ports,
    summary: "puts a host into a tunnel zone",
    load: async () => (await import("./port-commands.ts")).joinVerb,
  },
  {
    name: "leave",
    group: ports,
    summary: "takes a host out of a tunnel zone",
    load: async () => (await import("./port-commands.ts")).leaveVerb,
  },
  {
    name: "fdb",
    group: ports,
    summary: "where the MAC addresses of a bridge are",
    load: async () => (await import("./table-commands.ts")).fdbVerb,
  },
  {
    name: "neighbors",
    group: ports,
    summary: "which MAC addresses IP addresses have",
    load: async () => (await import("./table-commands.ts")).neighborsVerb,
  },
  {
    name: "trace",
    group: look,
    summary: "walks a packet through the live topology",
    load: async () => (await import("./trace-command.ts")).traceVerb,
  },
  {
    name: "flows",
    group: look,
    summary: "lists installed flows",
    load: async () => (await import("./host-commands.ts")).flowsVerb,
  },
  {
    name: "drops",
    group: look,
    summary: "lists dropped packets by reason",
    load: async () => (await import("./host-commands.ts")).dropsVerb,
  },
  {
    name: "hosts",
    group: look,
    summary: "lists hosts and how they do",
    load: async () => (await import("./host-commands.ts")).hostsVerb,
  },
  {
    name: "doctor",
    group: look,
    summary: "looks for what is wrong with store, cloud and hosts",
    load: async () => (await import("./doctor-command.ts")).doctorVerb,
  },
  {
    name: "metrics",
    group: look,
    summary: "shows what the API and the agents measure",
    load: async () => (await import("./metrics-command.ts")).metricsVerb,
  },
  {
    name: "watch",
    group: look,
    summary: "follows changes as they happen",
    load: async () => (await import("./watch-command.ts")).watchVerb,
  },
  {
    name: "lab",
    group: processes,
    summary: "the lab: status, down, shell VM, exec VM -- COMMAND",
    load: async () => (await import("./process-commands.ts")).labVerb,
  },
  {
    name: "agent",
    group: processes,
    summary: "runs a host's agent",
    load: async () => (await import("./process-commands.ts")).agentVerb,
  },
  {
    name: "api",
    group: processes,
    summary: "runs the API",
    load: async () => (await import("./process-commands.ts")).apiVerb,
  },
  {
    name: "store-server",
    group: processes,
    summary: "runs the embedded store",
    load: async () => (await import("./process-commands.ts")).storeServerVerb,
  },
  {
    name: "store",
    group: processes,
    summary: "the store: status, check, backup, restore, copy, migrate",
    load: async () => (await import("./process-commands.ts")).storeVerb,
  },
  {
    name: "config",
    group: processes,
    summary: "shows settings and where they come from",
    load: async () => (await import("./config-command.ts")).configVerb,
  },
  {
    name: "completion",
    group: processes,
    summary: "prints a script that completes words in bash",
    load: async () => (await import("./completion-command.ts")).completionVerb,
  },
];
