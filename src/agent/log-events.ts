import type { LogEventCatalogue } from "../base/log-event.ts";

/** What an agent logs. */
export const AGENT_LOG_EVENTS = {
  "agent.serving": {
    level: "info",
    meaning: "the agent has joined and serves",
    fields: ["release", "socket", "datapath"],
  },
  "agent.confined": {
    level: "info",
    meaning: "every thread of the agent holds these capabilities and can never have others",
    fields: ["capabilities"],
  },
  "agent.takeover": {
    level: "info",
    meaning: "this agent has the datapath after --takeover: the one before handed over, was killed, or was not there",
    fields: ["outcome"],
  },
  "agent.stopping": { level: "info", meaning: "the agent was asked to stop", fields: ["reason", "keep"] },
  "agent.failed": {
    level: "error",
    meaning: "the agent cannot go on and ends; the kernel keeps forwarding until the next one takes over",
    fields: ["why"],
  },
  "worker.crashed": {
    level: "error",
    meaning: "a bug in a simulation worker; the agent ends",
    fields: ["worker", "error", "stack"],
  },
  "wake-latency.refused": {
    level: "warn",
    meaning:
      "the kernel takes no request for short wake-ups (wake-latency): new flows wake processors as the system idles",
    fields: ["error"],
  },
  "audit.difference": {
    level: "warn",
    meaning:
      "an installed flow was not what a simulation makes of it, and has been put right: corrupted memory, or a bug",
    fields: ["worker", "key", "installed", "wanted"],
  },
  "audit.record": {
    level: "warn",
    meaning:
      "a record of the datapath was not what the agent had written, and has been put right: somebody else writes there",
    fields: ["what"],
  },
  "datapath.refused": {
    level: "error",
    meaning:
      "the kernel refused a change of tunnels, peers or tunnel keys; what was there stays, and it is tried again",
    fields: ["what", "why", "attempt"],
  },
  "host.id.taken": {
    level: "error",
    meaning: "another agent holds this host's id: two hosts have one id",
    fields: ["id"],
  },
  "join.waiting": {
    level: "warn",
    meaning:
      "the store is there and does not register this host yet: forwarding goes on from the snapshot, tried again",
    fields: ["why"],
  },
  "host.id.waiting": {
    level: "info",
    meaning: "an earlier agent of this host still holds its id; goes on when that one's session has ended",
    fields: ["id", "holder"],
  },
  "claims.swept": {
    level: "info",
    meaning: "what an earlier process of this session had said in the store and this one does not was taken back",
    fields: ["nodes"],
  },
  "journal.damaged": {
    level: "warn",
    meaning: "the end of the agent's journal was not whole, as after a loss of power, and was cut off",
    fields: ["bytes"],
  },
  "journal.failed": {
    level: "error",
    meaning: "the disk refused the agent's journal; a restart may need a new session and new tunnel keys; tried again",
    fields: ["code"],
  },
  "journal.restored": { level: "info", meaning: "the agent's journal could be written again", fields: [] },
  "peer.alive": { level: "info", meaning: "another host was heard of (again): it is sent to", fields: ["peer"] },
  "peer.dead": {
    level: "warn",
    meaning:
      "another host does not answer keep-alives any more (silent), or says that it hears nothing of this one (deaf): nothing is sent to it until it answers",
    fields: ["peer", "why"],
  },
  "port.unconfirmed": {
    level: "warn",
    meaning: "a port's host has been without a session for longer than --unconfirmed-limit: it is not sent to any more",
    fields: ["port"],
  },
  "keep-alive.no-secret": {
    level: "warn",
    meaning:
      "the cloud's secret cannot be read from the store; why says what to do. A host without one watches no peers until it can",
    fields: ["why"],
  },
  "snapshot.failed": {
    level: "error",
    meaning: "what the agent knows could not be written: without a store, a restart begins from an older snapshot",
    fields: ["why"],
  },
  "snapshot.refused": {
    level: "error",
    meaning: "the snapshot in the state folder cannot be used: a start without a store waits for it",
    fields: ["why"],
  },
  "store.away": {
    level: "warn",
    meaning: "the store does not answer at the start: the agent forwards from its snapshot of then",
    fields: ["snapshotAt"],
  },
  "store.emptied": {
    level: "error",
    meaning:
      "everything in the store is gone, or it was begun anew without this host: forwarding goes on, nothing is written; restore it",
    fields: ["root"],
  },
  "store.filling": {
    level: "warn",
    meaning:
      "a copy or restore into the store is under way, or was interrupted: forwarding goes on, nothing is written before it has ended",
    fields: ["root"],
  },
  "store.restored": {
    level: "info",
    meaning: "the store has again what it had: what this host says is registered anew",
    fields: ["root"],
  },
  "store.back": { level: "info", meaning: "the store answers again and this host has claimed its id", fields: [] },
  "port.withdrawn": {
    level: "info",
    meaning: "an earlier agent had published this port, and its interface went down or away while no agent ran",
    fields: ["port"],
  },
  "port.state": {
    level: "info",
    meaning: "a bound port went up or down, or its interface came or went",
    fields: ["port", "vport", "state"],
  },
  "port.refused": {
    level: "warn",
    meaning: "a bound port cannot be attached to its interface",
    fields: ["port", "why"],
  },
  "state-key.failed": {
    level: "warn",
    meaning:
      "what this host says of a port or of a bridge's floods could not be published: others do not send to it, or port by port",
    fields: ["what", "id", "error"],
  },
  "port.active.damaged": {
    level: "warn",
    meaning: "what another host published of a port is unreadable; the port counts as inactive",
    fields: ["port", "why"],
  },
  "flood-key.damaged": {
    level: "warn",
    meaning: "what another host published of a bridge's floods is unreadable",
    fields: ["bridge", "text"],
  },
  "object.damaged": {
    level: "warn",
    meaning:
      "an object in the store is unreadable; the last good one stays in use, and without one packets that need the chain, rule or route are dropped",
    fields: ["kind", "id", "why"],
  },
  "map.damaged": {
    level: "warn",
    meaning: "a node of a replicated map is no entry of it",
    fields: ["map", "name", "why"],
  },
  "map.write.failed": {
    level: "warn",
    meaning: "an entry of a replicated map could not be written",
    fields: ["map", "what"],
  },
  "tunnel-key.limit": {
    level: "warn",
    meaning: "no tunnel key is free: the port is not served",
    fields: ["port", "limit"],
  },
  "topology.limit": {
    level: "warn",
    meaning: "this host needs more topology objects than it may follow: packets that need another one are dropped",
    fields: ["objects"],
  },
  "topology.room": {
    level: "info",
    meaning: "all topology objects that this host needs are followed again",
    fields: ["objects"],
  },
  "vport.limit": {
    level: "warn",
    meaning: "too many ports are bound to this host: the port is not served",
    fields: ["port"],
  },
} as const satisfies LogEventCatalogue;
