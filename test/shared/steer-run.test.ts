import { expect, test } from "vitest";
import { findRegisteredRun, type RegisteredRun } from "../../shared/steer.ts";
import { steerOver } from "../../shared/steer-run.ts";
import { readSteering } from "../../shared/steering.ts";
import { withRedisAt } from "../../shared/with-redis.ts";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openTestMill, type TestMill } from "../helpers/test-mill.ts";
import { until } from "../helpers/until.ts";

/** The run in Redis, once it is there. */
async function registered({ redis, prefix }: TestMill, run: string): Promise<RegisteredRun> {
  return await until(async () => {
    const found = await findRegisteredRun(redis, prefix, run);
    if (!found) throw new Error("not registered yet");
    return found;
  });
}

test("a run whose directory cannot be written to is paused in Redis, and the message says what is missing", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts: 3 });
  const { redis, prefix, out } = mill;
  const run = await mill.open();
  await registered(mill, run.id);
  const pause = withFileSizeLimit(0, () => steerOver(redis, { out, prefix, state: "paused" }));
  await expect(pause).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringMatching(
      /it is paused in Redis alone.* could not be written \(EFBIG.*; make it writable, then pause it again/,
    ),
  });
  expect((await registered(mill, run.id)).registration.state).toBe("paused");
});

test("a run is not paused where neither its directory nor Redis has room, and each is told", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts: 3 });
  const { redis, prefix, out } = mill;
  const run = await mill.open();
  await registered(mill, run.id);
  await redis.config("SET", "maxmemory", "1");
  const pause = () => steerOver(redis, { out, prefix, state: "paused" });
  await expect(withFileSizeLimit(0, pause)).rejects.toThrow(
    /it is not paused, since steering\.json/,
  );
  await expect(withRedisAt(redis, pause)).rejects.toThrow(/^Redis.* has no room to write .*: OOM/);
  await redis.config("SET", "maxmemory", "0");
});

test("a run that no Redis knows is not paused where its directory cannot be written to", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts: 3 });
  await mill.open();
  const pause = withFileSizeLimit(0, () =>
    steerOver(undefined, { out: mill.out, state: "paused" }),
  );
  await expect(pause).rejects.toThrow(/it is not paused, since steering\.json in .*\/\.imagemill/);
});

test("a run that is completed while it is being cancelled is complete, and no cancel stays", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts: 3 });
  const run = await mill.open();
  await mill.work();
  const { out, prefix, redis } = mill;
  // By then the directory was looked at, and the run was not complete.
  const late = Object.create(redis, {
    hgetall: {
      value: async (key: string) => {
        expect(await run.finished).toMatchObject({ state: "completed" });
        return await redis.hgetall(key);
      },
    },
  });
  const cancel = steerOver(late, { out, prefix, state: "cancelled" });
  await expect(cancel).rejects.toThrow(/is finished \(completed\): there is nothing to cancel/);
  expect(await readSteering(out)).toBeUndefined();
});
