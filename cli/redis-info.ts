import { setTimeout as delay } from "node:timers/promises";
import { Cluster, type Redis } from "ioredis";
import { refusalOf } from "./redis-refusal.ts";
import { defaultPrefix, laneKeys } from "../shared/keys.ts";
import { pipelineValues } from "../shared/lane-state.ts";
import { connectRedis, type RedisClient } from "../shared/redis.ts";
import type { RedisTarget } from "../shared/redis-target.ts";

/** A Redis that does not answer for so long would stall every worker too. */
const answerLimitMs = 5_000;

/** The fields of INFO of one node: any user who may use the queue may ask for it, which is not so for CONFIG. */
export interface RedisInfo {
  /** `host:port` where it is one of several masters. */
  node?: string;
  fields: ReadonlyMap<string, string>;
}

/**
 * Asks the server, or every master of a Cluster, for INFO, and tries whether the queue's keys may be used.
 * @throws Error what Redis or the connection said last, where it does not answer within 5 s or refuses
 */
export async function readRedisInfo(target: RedisTarget): Promise<RedisInfo[]> {
  const client = connectRedis(target, { role: "producer", name: "imagemill-doctor" });
  let lastError: unknown;
  const note = (error: unknown) => void (lastError = error);
  for (const event of ["error", "sentinelError", "node error"]) client.on(event, note);
  // A database that is not there is told of by an event only: commands go to the first one then.
  const refused = new Promise<never>((_, reject) => {
    client.on("error", (error: unknown) => refusalOf(error) && reject(error));
  });
  const answered = new AbortController();
  try {
    return await Promise.race([
      refused,
      ask(client),
      delay(answerLimitMs, undefined, { signal: answered.signal }).then(() => {
        // A server that does not speak TLS waits for the end of a line that never comes.
        const hint = "tls" in target && target.tls ? "; does it speak TLS?" : "";
        throw new Error(`no answer within ${answerLimitMs / 1_000} s${hint}`);
      }),
    ]);
  } catch (error) {
    // What the connection said ("connect ECONNREFUSED …") says more than what became of the command.
    throw refusalOf(error) ? error : (lastError ?? error);
  } finally {
    answered.abort();
    client.disconnect();
  }
}

async function ask(client: RedisClient): Promise<RedisInfo[]> {
  if (!(client instanceof Cluster)) {
    const fields = await infoOf(client);
    // A replica is refused by its role, whatever it lets one read.
    if (fields.get("role") === "master") await tryKeys(client);
    return [{ fields }];
  }
  await client.connect();
  await tryKeys(client);
  return await Promise.all(
    client.nodes("master").map(async (node) => ({
      node: `${node.options.host}:${node.options.port}`,
      fields: await infoOf(node),
    })),
  );
}

async function infoOf(client: Redis): Promise<Map<string, string>> {
  const lines = (await client.info()).split("\r\n").map((line) => line.split(":"));
  return new Map(
    lines.flatMap(([key, ...value]) => (key ? [[key, value.join(":")] as const] : [])),
  );
}

/** Reads some keys that cannot exist, by a script too: lanes enough that they lie on every node of a Cluster. */
async function tryKeys(client: RedisClient): Promise<void> {
  const lanes = Array.from(
    { length: client instanceof Cluster ? 1 : 12 },
    (_, i) => `{doctor-${i}}`,
  );
  const pipeline = client.pipeline();
  for (const lane of lanes) {
    const { runs } = laneKeys(defaultPrefix, lane);
    pipeline.eval("return redis.call('exists', KEYS[1])", 1, runs);
  }
  pipelineValues(await pipeline.exec());
}
