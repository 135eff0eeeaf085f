import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unwrap } from "../src/base/result.ts";
import { systemScheduler } from "../src/base/scheduler.ts";
import { RequestBroker } from "../src/linux/netlink/broker.ts";
import { NetlinkConnection } from "../src/linux/netlink/connection.ts";
import { netlinkProtocol } from "../src/linux/netlink/protocol.ts";
import type { NetlinkRequest } from "../src/linux/netlink/request.ts";
import { createVeth } from "../src/linux/netlink/route/create-link.ts";
import { changeLink, getLink, listLinks } from "../src/linux/netlink/route/link.ts";
import { addNeighbor, deleteNeighbor } from "../src/linux/netlink/route/neighbor.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { createNetns, deleteNetns, Netns } from "../src/linux/netns.ts";
import { type Figure, figureOf } from "./figure.ts";
import { formatFigure } from "./report.ts";

const rounds = 7;
const neighbors = 2000;
const window = 500;
const links = 10;

/**
 * Measures the netlink library in a namespace of its own (root): listing twelve links, and adding and deleting neighbor
 * entries one by one, through the broker with and without acknowledgements, beside `ip -batch` doing the same.
 * An operation is one add or one delete.
 */
export async function benchNetlink(): Promise<readonly Figure[]> {
  const name = `weftbench-${process.pid}`;
  unwrap(createNetns(name));
  const netns = unwrap(Netns.named(name));
  const connection = unwrap(NetlinkConnection.open({ netns }));
  const port = unwrap(netns.runResult(() => NetlinkSocket.open({ protocol: netlinkProtocol.route })));
  const broker = new RequestBroker({ port, scheduler: systemScheduler });
  try {
    return await measure({ name, connection, broker, ifindex: prepare(connection) });
  } finally {
    broker.close();
    connection.close();
    netns.close();
    unwrap(deleteNetns(name));
  }
}

interface Bench {
  readonly name: string;
  readonly connection: NetlinkConnection;
  readonly broker: RequestBroker;
  readonly ifindex: number;
}

function prepare(connection: NetlinkConnection): number {
  for (let i = 0; i < links / 2; i++) {
    unwrap(connection.run(createVeth({ link: { name: `v${i}` }, peer: { name: `w${i}` } })));
  }
  for (const end of ["v0", "w0"]) unwrap(connection.run(changeLink({ name: end }, { isUp: true })));
  return unwrap(connection.run(getLink({ name: "v0" })))?.ifindex ?? 0;
}

async function measure(bench: Bench): Promise<readonly Figure[]> {
  const { connection, broker } = bench;
  const dumps = 200;
  const blocking = await times(async () => {
    for (let i = 0; i < dumps; i++) unwrap(connection.run(listLinks()));
  });
  const streamed = await times(async () => {
    for (let i = 0; i < dumps; i++) unwrap(await broker.run(listLinks()));
  });
  const rival = await times(async () => batchOfIproute2(bench));
  const acknowledged = await times(() => acknowledgedRound(bench));
  const optimistic = await times(() => optimisticRound(bench));
  const refused = broker.counters.get("netlink_optimistic_errors") + broker.counters.get("netlink_refused");
  if (refused > 0 || broker.counters.get("netlink_overruns") > 0)
    throw new Error("the kernel refused or lost operations");
  const operations = 2 * neighbors;
  const rate = (ms: readonly number[]) => ms.map((time) => (operations / time) * 1000);
  const perDump = (ms: readonly number[]) => ms.map((time) => (time / dumps) * 1000);
  return [
    figure({ name: "netlink_link_dump_us", unit: "us", values: perDump(blocking) }),
    figure({ name: "netlink_link_dump_broker_us", unit: "us", values: perDump(streamed) }),
    figure({ name: "netlink_ops_per_s", unit: "ops/s", values: rate(acknowledged), rival: rate(rival) }),
    figure({ name: "netlink_optimistic_ops_per_s", unit: "ops/s", values: rate(optimistic), rival: rate(rival) }),
  ];
}

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const addressOf = (i: number): Uint8Array => Uint8Array.of(10, 0, i >> 8, i & 255);

async function acknowledgedRound({ broker, ifindex }: Bench): Promise<void> {
  const order = (make: (i: number) => NetlinkRequest<undefined>) => async (): Promise<void> => {
    for (let from = 0; from < neighbors; from += window) {
      await new Promise<void>((resolve, reject) => {
        let waiting = window;
        for (let i = from; i < from + window; i++) {
          unwrap(
            broker.submit(make(i), {
              onMessage: () => undefined,
              onDone: () => {
                if (--waiting === 0) resolve();
              },
              onError: (error) => reject(new Error(error.text)),
            }),
          );
        }
        broker.flush();
      });
    }
  };
  await order((i) => addNeighbor({ ifindex, address: addressOf(i), mac }))();
  await order((i) => deleteNeighbor({ ifindex, address: addressOf(i) }))();
}

async function optimisticRound({ broker, ifindex }: Bench): Promise<void> {
  const make = [
    (i: number) => addNeighbor({ ifindex, address: addressOf(i), mac }),
    (i: number) => deleteNeighbor({ ifindex, address: addressOf(i) }),
  ];
  for (const order of make) {
    for (let from = 0; from < neighbors; from += window) {
      for (let i = from; i < from + window; i++) unwrap(broker.sendOptimistic(order(i)));
      broker.flush();
    }
  }
}

function batchOfIproute2({ name }: Bench): void {
  const directory = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const file = join(directory, "batch");
  const line = (verb: string, i: number): string => {
    const address = addressOf(i).join(".");
    return `neigh ${verb} ${address} dev v0${verb === "add" ? " lladdr 02:00:00:00:00:01 nud permanent" : ""}\n`;
  };
  const each = (verb: string): string => Array.from({ length: neighbors }, (_, i) => line(verb, i)).join("");
  writeFileSync(file, each("add") + each("del"));
  const done = spawnSync("ip", ["-n", name, "-batch", file]);
  rmSync(directory, { recursive: true });
  if (done.status !== 0) throw new Error(`ip -batch: ${done.stderr}`);
}

async function times(round: () => Promise<void>): Promise<readonly number[]> {
  await round();
  const measured: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await round();
    measured.push(performance.now() - start);
  }
  return measured;
}

interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly rival?: readonly number[];
}

function figure({ rival, ...own }: Measured): Figure {
  return figureOf(rival === undefined ? own : { ...own, rival: { name: "ip -batch", values: rival } });
}

if (import.meta.main) for (const one of await benchNetlink()) process.stdout.write(`${formatFigure(one)}\n`);
