import { Counters } from "../../base/metrics.ts";

/** The counters of a request broker. */
export const brokerCatalogue = {
  netlink_requests: "Requests that were given to the kernel and are acknowledged.",
  netlink_optimistic: "Requests that were given to the kernel without asking for an acknowledgement.",
  netlink_optimistic_errors: "Optimistic requests that the kernel refused.",
  netlink_batches: "Datagrams in which the requests were sent.",
  netlink_refused: "Acknowledged requests that the kernel refused.",
  netlink_timeouts: "Requests without an answer within the time-out.",
  netlink_full: "Requests refused here because every chunk was in use.",
  netlink_overruns: "Times that the kernel dropped answers or notifications because the receive buffer was full.",
  netlink_lost: "Requests whose answer was lost in an overrun.",
  netlink_unclaimed: "Messages that belong to no waiting request: late answers and notifications.",
  netlink_damaged: "Datagrams with an impossible message length.",
} as const;

/** The counters of one broker or notification source. */
export type BrokerCounters = Counters<typeof brokerCatalogue>;

/** New counters, all 0. */
export function brokerCounters(): BrokerCounters {
  return new Counters(brokerCatalogue);
}
