import { Cluster, type Redis } from "ioredis";
import type { RedisClient } from "./redis.ts";

/** What becomes of commands, as with every connection that was closed. */
const cutOffMessage = "Connection is closed.";

/**
 * Ends a client at once, though Redis may be away or silent: what waits for an answer is rejected, and so is every later command.
 * `disconnect` alone leaves them waiting, for a silent server until it closes its side, for one that is away for ever.
 */
export function cutOff(client: RedisClient): void {
  const nodes = client instanceof Cluster ? client.nodes() : [];
  client.options.enableOfflineQueue = false;
  client.disconnect();
  for (const node of nodes) endConnection(node);
  if (client instanceof Cluster) client["flushQueue"](new Error(cutOffMessage));
  else endConnection(client);
}

function endConnection(connection: Redis): void {
  connection.options.enableOfflineQueue = false;
  connection.disconnect();
  // None before the first try to connect.
  connection.stream?.destroy();
  // A connection that waits for its next try to connect is told of nothing any more.
  connection["flushQueue"](new Error(cutOffMessage));
}
