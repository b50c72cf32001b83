import { Redis } from "ioredis";
import { z } from "zod";
import { freePort } from "../../testing/free-port.ts";
import { startTestRedis, type TestRedis } from "./redis.ts";
import { until } from "./until.ts";

const masters = 3;
const lastSlot = 16_383;

/** A Cluster of three masters with a replica each, which fails over after about two seconds. */
export interface TestCluster extends AsyncDisposable {
  /** A URL that `shared/redis.ts` takes. */
  readonly url: string;
  /** Ends the master that holds a key as a crash does. */
  killMasterOf(key: string): Promise<void>;
}

interface ClusterNode {
  server: TestRedis;
  port: number;
  busPort: number;
  admin: Redis;
}

/** Starts it, with arguments that every node gets, and resolves once every master could be replaced. */
export async function startTestCluster(more: readonly string[] = []): Promise<TestCluster> {
  await using started = new AsyncDisposableStack();
  const nodes: ClusterNode[] = [];
  for (let i = 0; i < masters * 2; i++) nodes.push(await startNode(started, more));
  const [first, ...others] = nodes;
  for (const { port, busPort } of others)
    await first!.admin.call("CLUSTER", "MEET", "127.0.0.1", port, busPort);
  for (const [i, { admin }] of nodes.slice(0, masters).entries()) {
    const from = Math.ceil((lastSlot * i) / masters);
    await admin.cluster("ADDSLOTSRANGE", from, Math.ceil((lastSlot * (i + 1)) / masters) - 1);
  }
  await first!.admin.cluster("ADDSLOTSRANGE", lastSlot, lastSlot);
  for (const [i, { admin }] of nodes.slice(masters).entries()) {
    const master = z.string().parse(await nodes[i]!.admin.call("CLUSTER", "MYID"));
    await until(() => admin.call("CLUSTER", "REPLICATE", master));
  }
  await Promise.all(nodes.map(untilReady));
  const servers = started.move();
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    killMasterOf: async (key) => {
      const port = await portOf(key, first!.admin);
      await nodes.find((node) => node.port === port)!.server.kill();
    },
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

/** Arguments of a server that is to be a node of a Cluster. */
export async function clusterNode(): Promise<{ busPort: number; settings: string[] }> {
  // It would be 10,000 above the server's port, where somebody's connection, or no port, may be.
  const busPort = await freePort();
  const bus = ["--cluster-port", String(busPort), "--cluster-announce-ip", "127.0.0.1"];
  return { busPort, settings: ["--cluster-enabled", "yes", ...bus] };
}

async function startNode(
  started: AsyncDisposableStack,
  more: readonly string[],
): Promise<ClusterNode> {
  const { busPort, settings } = await clusterNode();
  const timeout = ["--cluster-node-timeout", "1500"];
  const server = await startTestRedis({ tcp: true, arguments: [...settings, ...timeout, ...more] });
  started.use(server);
  const admin = new Redis(server.url);
  // Its server may be killed.
  admin.on("error", () => {});
  started.defer(() => admin.disconnect());
  return { server, port: Number(new URL(server.url).port), busPort, admin };
}

async function untilReady({ admin }: ClusterNode): Promise<void> {
  await until(async () => {
    const [cluster, replication] = [await admin.cluster("INFO"), await admin.info("replication")];
    const isJoined = cluster.includes("cluster_state:ok") && cluster.includes("known_nodes:6");
    const isCopied = /state=online|master_link_status:up/.test(replication);
    if (!isJoined || !isCopied) throw new Error(`Expected a ready node, got:\n${cluster}`);
  });
}

const Slots = z.array(
  z
    .tuple([z.number(), z.number(), z.tuple([z.string(), z.number()]).rest(z.unknown())])
    .rest(z.unknown()),
);

async function portOf(key: string, admin: Redis): Promise<number> {
  const slot = Number(await admin.call("CLUSTER", "KEYSLOT", key));
  const ranges = Slots.parse(await admin.call("CLUSTER", "SLOTS"));
  const range = ranges.find(([from, to]) => from <= slot && slot <= to);
  if (!range) throw new Error(`Expected slot ${slot} to be held by a node`);
  return range[2][1];
}
