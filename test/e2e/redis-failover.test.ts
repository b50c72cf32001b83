import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { defaultPrefix, laneKeys } from "../../shared/keys.ts";
import { aclServer } from "../helpers/acl.ts";
import { driveAll, whole } from "../helpers/drive-all.ts";
import { startTestCluster } from "../helpers/redis-cluster.ts";
import { startTestSentinels } from "../helpers/redis-sentinel.ts";
import { openStage } from "../helpers/stage.ts";

const prompts = 400;

const limits = { timeout: 120_000 };

describe.concurrent(
  "everything works before and after a failover, nothing is lost or bought twice,",
  limits,
  () => {
    test("where Sentinels replace a master that was killed", async () => {
      await using redis = await startTestSentinels();
      await using stage = await openStage({ latencyMs: 60 });
      stage.env["REDIS_URL"] = redis.url;
      const failOver = () => redis.first.kill();
      expect(await driveAll(stage, { prompts, failOver })).toEqual(whole(prompts));
      const client = new Redis(redis.second.url);
      const info = (await client.info("replication")) + (await client.info("keyspace"));
      client.disconnect();
      expect(info).toMatch(/role:master[^]*db2:keys=/);
    });

    test("where a Cluster replaces the node that holds the lane, as the user of docs/redis.md", async () => {
      const user = aclServer({ cluster: true });
      await using redis = await startTestCluster(user.arguments);
      await using stage = await openStage({ latencyMs: 60 });
      Object.assign(stage.env, {
        REDIS_URL: redis.url,
        REDIS_USERNAME: user.name,
        REDIS_PASSWORD: user.password,
      });
      const failOver = (lane: string) => redis.killMasterOf(laneKeys(defaultPrefix, lane).runs);
      expect(await driveAll(stage, { prompts, failOver })).toEqual(whole(prompts));
    });
  },
);
