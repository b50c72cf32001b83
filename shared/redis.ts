import { readFileSync } from "node:fs";
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import type { RedisCertificates, RedisCredentials, RedisTarget } from "./redis-target.ts";
import { UsageError } from "./usage-error.ts";

/** What {@link connectRedis} returns. */
export type RedisClient = Redis | Cluster;

/** A Redis to connect to, or a client of somebody else, which stays theirs: connections like it are made. */
export type RedisSource = RedisTarget | RedisClient;

/** How a connection is used. */
export interface RedisConnectionOptions {
  /**
   * `worker`: commands wait for a Redis that is away, as BullMQ's workers need.
   * `producer`: commands fail after one reconnect, since the producer keeps what it could not write.
   */
  role: "worker" | "producer";
  /** Commands of a producer fail after five seconds though the server takes connections: for who can ask again. */
  isImpatient?: true;
  /** Shown by `CLIENT LIST`. Default `imagemill-<role>`. */
  name?: string;
}

/** How long a command waits at most, for Sentinels or a Cluster always: longer than a short election, far shorter than a run waits. */
const producerLimitMs = 5_000;

/**
 * A client that connects at its first command or `connect()`, and reconnects for ever.
 * Give it an `error` listener, such as `limitErrors`.
 */
export function connectRedis(target: RedisSource, options: RedisConnectionOptions): RedisClient {
  if (!("kind" in target)) return connectLike(target, options);
  if (target.kind === "cluster") return connectCluster(target, options);
  const impatience = { commandTimeout: producerLimitMs };
  const common = {
    ...commonOptions(target, options),
    ...(options.isImpatient && impatience),
    lazyConnect: true,
    retryStrategy: reconnectDelay(target.passwordFile),
    db: target.db,
  };
  if (target.kind === "socket") return new Redis({ ...common, path: target.path });
  if (target.kind === "single") {
    return new Redis({ ...common, ...target.node, ...(target.tls && { tls: trust(target) }) });
  }
  return new Redis({
    ...common,
    // While no Sentinel answers, the try to connect does not end, and so would no command.
    ...(options.role === "producer" && impatience),
    sentinels: target.sentinels,
    name: target.master,
    sentinelUsername: target.sentinelUsername,
    sentinelPassword: target.sentinelPassword,
    sentinelRetryStrategy: retryDelay,
    // Without it a connection to a master that was demoted but still answers would be kept.
    failoverDetector: true,
    ...(target.tls && {
      tls: trust(target),
      sentinelTLS: trust(target),
      enableTLSForSentinelMode: true,
    }),
  });
}

/** @throws UsageError where the client puts a prefix before every key: BullMQ's scripts could not work with it */
function connectLike(client: RedisClient, options: RedisConnectionOptions): RedisClient {
  const own = { ...commonOptions({}, options), lazyConnect: true };
  const isCluster = "nodes" in client;
  const { keyPrefix } = isCluster
    ? { ...client.options, ...client.options.redisOptions }
    : client.options;
  if (keyPrefix)
    throw new UsageError(
      `expected a Redis client without a keyPrefix, got one with \`${keyPrefix}\`: give \`prefix\` instead`,
    );
  if (!isCluster) {
    const isImpatient = options.role === "producer" && client.options.sentinels;
    const limit = isImpatient ? { commandTimeout: producerLimitMs } : {};
    return client.duplicate({ ...own, ...limit, retryStrategy: retryDelay });
  }
  // Replies are read in their usual form.
  const { replyMapping: _, ...theirs } = client.options.redisOptions ?? {};
  const redisOptions = { ...theirs, ...own };
  const copy = client.duplicate([], { redisOptions, ...clusterOptions(options.role) });
  return options.role === "producer" ? impatient(copy) : copy;
}

function connectCluster(
  target: Extract<RedisTarget, { kind: "cluster" }>,
  options: RedisConnectionOptions,
): Cluster {
  const cluster = new Cluster(target.nodes, {
    redisOptions: { ...commonOptions(target, options), ...(target.tls && { tls: trust(target) }) },
    ...clusterOptions(options.role),
    // Certificates are for host names: nodes are connected by name, not by the address looked up for it.
    ...(target.tls && {
      dnsLookup: (host: string, callback: (error: null, address: string) => void) =>
        callback(null, host),
    }),
  });
  return options.role === "producer" ? impatient(cluster) : cluster;
}

function clusterOptions(role: RedisConnectionOptions["role"]) {
  return {
    lazyConnect: true,
    // Where the check fails, as in the middle of a failover, ioredis' promise to connect never settles, and BullMQ waits
    // for it for ever. Without it commands are tried again until the Cluster is up.
    enableReadyCheck: false,
    clusterRetryStrategy: retryDelay,
    // Most take a tenth of a second: a worker's commands live through a failover, which takes a little longer than the
    // nodes' `cluster-node-timeout` (15 s by default).
    ...(role === "worker" && { maxRedirections: 600 }),
    // The default of a second is short for a cluster that is failing over.
    slotsRefreshTimeout: 3_000,
  } satisfies ClusterOptions;
}

/** Ends commands even while no node of a Cluster answers; ioredis itself keeps them until one does. */
function impatient(cluster: Cluster): Cluster {
  const send = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (...sent) => {
    sent[0].setTimeout(producerLimitMs);
    return send(...sent);
  };
  return cluster;
}

/** Soon at first, then less often; never much more than a second, so that a Redis that is back is used soon. */
function retryDelay(times: number): number {
  return Math.round(Math.min(50 * 2 ** Math.min(times - 1, 5), 1_000) + Math.random() * 100);
}

/**
 * ioredis calls it as a method of the connection's own options, also in BullMQ's copies of a connection, and takes the
 * password from there at each connect. A file that cannot be read right now leaves the last password.
 */
function reconnectDelay(passwordFile: string | undefined) {
  return function (this: RedisOptions, times: number): number {
    if (passwordFile !== undefined) this.password = readPassword(passwordFile) ?? this.password;
    return retryDelay(times);
  };
}

function readPassword(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/** What a TLS connection is made with: the given authorities and certificate, else Node's own. */
function trust({ certificates }: RedisTarget): RedisCertificates {
  return { ...certificates };
}

function commonOptions(target: RedisCredentials, { role, name }: RedisConnectionOptions) {
  return {
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    connectionName: name ?? `imagemill-${role}`,
    // CLIENT SETINFO is not among the commands that a user of the queue needs.
    disableClientInfo: true,
    // BullMQ's workers refuse anything but null; a producer would rather know.
    maxRetriesPerRequest: role === "worker" ? null : 1,
    connectTimeout: 5_000,
    // A host that vanished without closing its connections is noticed, instead of after TCP's quarter of an hour.
    // Longer than any blocking command that we or BullMQ send (10 s).
    socketTimeout: 30_000,
    // A server that is silent does not close its side.
    disconnectTimeout: 500,
    // While Redis loads its data, ask again each second, not each ten.
    maxLoadingRetryTime: 1_000,
    // After a failover the old master is read-only: connect anew. A worker's command is sent again, as it must not get lost.
    reconnectOnError: (error) =>
      error.message.startsWith("READONLY") ? (role === "worker" ? 2 : 1) : false,
  } satisfies RedisOptions;
}
