import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openSilentServer } from "../helpers/silent-server.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const prompts = 100;
const limitSeconds = 4;
/** What a busy machine may take on top of what was asked for. */
const slackMs = 8_000;
const silence = /Redis takes connections, but has not answered for \d s/;

interface Scene extends AsyncDisposable {
  redis: TestRedis;
  stage: Stage;
  /** The dataset and what is asked for. */
  asked: string[];
  /** Stops Redis as it is: the system goes on taking connections for it. Gives a clock that starts then. */
  freeze(): () => number;
  thaw(): void;
  /** Runs the dataset to its end, with a Redis that answers, and expects that nothing was lost and nothing bought twice. */
  expectWhole(): Promise<void>;
}

async function openScene(latencyMs = 150): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const redis = await startTestRedis({ tcp: true, arguments: ["--appendonly", "yes"] });
  stack.defer(() => redis.close());
  const stage = stack.use(await openStage({ latencyMs, jitter: 0.5 }));
  stage.env["REDIS_URL"] = redis.url;
  const dataset = stage.dataset(promptRows(prompts));
  const asked = [dataset, "-m", "gpt-image-2", "--out", stage.out, "--json"];
  const thaw = () => void process.kill(redis.pid, "SIGCONT");
  return {
    redis,
    stage,
    asked: [...asked, "--give-up-after", `${limitSeconds}s`],
    freeze: () => {
      const frozenAt = performance.now();
      process.kill(redis.pid, "SIGSTOP");
      return () => performance.now() - frozenAt;
    },
    thaw,
    expectWhole: async () => {
      thaw();
      const end = await stage.cli("run", ...asked, "-c", "25");
      expect(end).toMatchObject({ code: 0 });
      expect(end.summary).toMatchObject({ state: "completed", images: prompts });
      expect(stage.simulator.ledger.calls).toBe(prompts);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.concurrent("a Redis that takes connections and does not answer", () => {
  test("ends a run after --give-up-after; the same command goes on and buys nothing twice", async () => {
    await using scene = await openScene();
    const life = scene.stage.startCli("run", ...scene.asked, "-c", "4");
    await scene.stage.settled(5);
    const frozenMs = scene.freeze();
    const end = await life.ended;
    expect(frozenMs()).toBeLessThan(limitSeconds * 1_000 + slackMs);
    expect(end).toMatchObject({ code: 4 });
    expect(end.summary.reason).toMatch(
      /^queue: Redis takes connections, but has not answered for 4 s \(.* same command again\)$/,
    );
    expect(end.stderr).toMatch(silence);
    expect(end.stderr).not.toContain("charged a second time");
    await scene.expectWhole();
  });

  test("that answers again before --give-up-after costs a run nothing", async () => {
    await using scene = await openScene();
    const life = scene.stage.startCli("run", ...scene.asked, "--give-up-after", "60s", "-c", "4");
    await scene.stage.settled(5);
    const frozenMs = scene.freeze();
    await until(() => expect(life.stderr).toMatch(silence));
    // Longer than a job's lock.
    await delay(Math.max(0, 9_000 - frozenMs()));
    scene.thaw();
    const end = await life.ended;
    expect(end).toMatchObject({ code: 0 });
    expect(end.summary).toMatchObject({ state: "completed", images: prompts, calls: prompts });
    expect(scene.stage.simulator.ledger.calls).toBe(prompts);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("does not keep a run from %s", async (signal) => {
    await using scene = await openScene();
    const life = scene.stage.startCli("run", ...scene.asked, "--give-up-after", "60s", "-c", "4");
    await scene.stage.settled(5);
    scene.freeze();
    await until(() => expect(life.stderr).toMatch(silence));
    const signalledAt = performance.now();
    life.kill(signal);
    const end = await life.ended;
    expect(performance.now() - signalledAt).toBeLessThan(slackMs);
    expect(end).toMatchObject({ code: signal === "SIGINT" ? 130 : 143 });
    expect(end.summary.reason).toBe(`interrupted by ${signal}: the same command resumes`);
    await scene.expectWhole();
  });

  test("lets a run that gives up finish its paid calls: their images are found later", async () => {
    await using scene = await openScene(3_000);
    const life = scene.stage.startCli("run", ...scene.asked, "--give-up-after", "2s", "-c", "20");
    await scene.stage.settled(15);
    await until(() => expect(scene.stage.simulator.ledger.inFlight).toBe(20));
    scene.freeze();
    const end = await life.ended;
    expect(end).toMatchObject({ code: 4 });
    expect(end.stderr).toMatch(/finishing \d+ calls in flight: what they make is found/);
    await scene.expectWhole();
  });

  test("ends enqueue after --give-up-after, and a worker within seconds of a signal", async () => {
    await using scene = await openScene();
    const worker = scene.stage.startCli("work", "-c", "4");
    const producer = scene.stage.startCli("enqueue", ...scene.asked);
    await scene.stage.settled(5);
    const frozenMs = scene.freeze();
    const end = await producer.ended;
    expect(frozenMs()).toBeLessThan(limitSeconds * 1_000 + slackMs);
    expect(end).toMatchObject({ code: 4 });
    expect(worker.stderr).toMatch(silence);
    const signalledAt = performance.now();
    worker.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(performance.now() - signalledAt).toBeLessThan(slackMs);
    expect(worker.stderr).not.toContain("calls given up");
    await scene.expectWhole();
  });

  test("from the start ends enqueue with the reason, too", async () => {
    await using server = await openSilentServer();
    await using scene = await openScene();
    scene.stage.env["REDIS_URL"] = `redis://127.0.0.1:${server.port}`;
    const end = await scene.stage.cli("enqueue", ...scene.asked);
    expect(end).toMatchObject({ code: 4 });
    expect(end.summary.reason).toMatch(silence);
    expect(scene.stage.simulator.ledger.calls).toBe(0);
  });
});

test("a run that gives up on a Redis that is away ends soon, and leaves no image to be bought again", async () => {
  await using scene = await openScene();
  const life = scene.stage.startCli("run", ...scene.asked, "-c", "4");
  await scene.stage.settled(5);
  await scene.redis.kill();
  const killedAt = performance.now();
  const end = await life.ended;
  expect(performance.now() - killedAt).toBeLessThan(limitSeconds * 1_000 + slackMs);
  expect(end).toMatchObject({ code: 4 });
  expect(end.summary.reason).toMatch(
    /^queue: Redis has not answered for 4 s: connect ECONNREFUSED/,
  );
  expect(end.stderr).not.toContain("charged a second time");
  await scene.redis.start();
  await scene.expectWhole();
});
