import { expect, test } from "vitest";
import { LaneWatch } from "../../producer/lane-watch.ts";
import { registrationOf } from "../../producer/registration-of.ts";
import { readSteering } from "../../shared/steering.ts";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openProducerStage, type ProducerStage } from "./producer-stage.ts";

/** A view of the stage's lane, and what it tells of. */
function watchOf({ run, lane, directory }: ProducerStage, giveUpAfterMs = 0) {
  const told: string[] = [];
  const onError = (error: Error) => void told.push(error.message);
  const parts = { run: run.id, lane, state: directory, giveUpAfterMs, onError };
  return { watch: new LaneWatch(parts), told };
}

test("a Redis that answers but refuses to write for too long ends the run", async () => {
  await using server = await startTestRedis();
  await using stage = await openProducerStage(server);
  const { watch } = watchOf(stage);
  expect(await watch.look()).toBeUndefined();
  await stage.redis.config("SET", "maxmemory", "1");
  expect(await watch.look()).toMatchObject({
    state: "stopped",
    text: expect.stringMatching(/Redis has taken nothing for 0 s: OOM/),
  });
});

test("a Redis that takes no write at all ends the run, too, though a worker has died that it cannot forget", async () => {
  await using server = await startTestRedis();
  await using stage = await openProducerStage(server);
  const { watch } = watchOf(stage);
  await stage.redis.sadd(stage.keys.workers, "dead");
  await stage.redis.config("SET", "min-replicas-to-write", "1");
  expect(await watch.look()).toMatchObject({
    state: "stopped",
    text: expect.stringMatching(/Redis has taken nothing for 0 s: NOREPLICAS/),
  });
});

test("a pause that the run directory has no room for is obeyed, told of, and written once there is room", async () => {
  await using server = await startTestRedis();
  await using stage = await openProducerStage(server);
  const { directory, run, lane } = stage;
  const { watch, told } = watchOf(stage, 60_000);
  const place = { location: directory, storage: undefined };
  const steer = (state: "paused" | "running") =>
    lane.register(registrationOf(run, place, { state }));
  await steer("paused");
  await withFileSizeLimit(0, async () => {
    for (const _ of ["first", "again"]) expect(await watch.look()).toBeUndefined();
  });
  expect(watch.isPaused).toBe(true);
  expect(told).toHaveLength(2);
  expect(told[0]).toMatch(
    /is paused, which its next start cannot know before steering\.json.*EFBIG/,
  );
  expect(await readSteering(directory)).toBeUndefined();
  expect(await watch.look()).toBeUndefined();
  expect(await readSteering(directory)).toMatchObject({ state: "paused" });
  await steer("running");
  await watch.look();
  expect(await readSteering(directory)).toBeUndefined();
  expect(told).toHaveLength(2);
});
