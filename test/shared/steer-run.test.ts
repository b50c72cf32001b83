import { expect, test } from "vitest";
import { findRegisteredRun } from "../../shared/steer.ts";
import { steerOver } from "../../shared/steer-run.ts";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openTestMill } from "../helpers/test-mill.ts";

test("a run whose directory cannot be written to is paused in Redis, and the message says what is missing", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts: 3 });
  const { redis, prefix, out } = mill;
  const run = await mill.open();
  const pause = withFileSizeLimit(0, () => steerOver(redis, { out, prefix, state: "paused" }));
  await expect(pause).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringMatching(
      /it is paused in Redis alone.* could not be written \(EFBIG.*; make it writable, then pause it again/,
    ),
  });
  const registered = await findRegisteredRun(redis, prefix, run.id);
  expect(registered?.registration.state).toBe("paused");
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
