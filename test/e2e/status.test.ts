import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { startTestRedis } from "../helpers/redis.ts";
import { readJournalOf } from "../helpers/run-files.ts";
import { openStage, promptOfRow, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const Status = z.array(
  z.looseObject({
    retries: z.object({ waiting: z.int(), nextAt: z.number().nullable() }),
    runs: z.array(
      z.looseObject({
        progress: z.looseObject({ settled: z.int(), total: z.int(), isEstimate: z.boolean() }),
      }),
    ),
  }),
);

test("status tells how far a run with a Redis of its own is, and when the next retry is due", async () => {
  await using stage = await openStage({
    latencyMs: 200,
    promptFaults: [{ match: promptOfRow(0), fault: "error500" }],
  });
  stage.start(stage.dataset(promptRows(300)), "-m", "gpt-image-2", "-c", "2");
  await stage.settled(5);
  await until(async () => {
    const before = readJournalOf(stage.out).length;
    const [lane] = Status.parse((await stage.cli("status", stage.out, "--json")).json);
    expect(lane?.retries).toMatchObject({ waiting: 1, nextAt: expect.any(Number) });
    expect(lane?.runs[0]?.progress).toMatchObject({ total: 300, isEstimate: true });
    expect(lane?.runs[0]?.progress.settled).toBeGreaterThanOrEqual(before);
  });
  const { stdout } = await stage.cli("status", stage.out);
  expect(stdout).toMatch(/\d+ of about 300 prompts {2}\d+ images {2}\d+\.\d\/s/);
});

test("status advises no worker for a run that works by itself: it goes on with its own", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using stage = await openStage({ latencyMs: 300 });
  stage.env["REDIS_URL"] = server.url;
  const life = stage.start(stage.dataset(promptRows(50)), "-m", "gpt-image-2", "-c", "2");
  await stage.settled(2);
  life.kill("SIGKILL");
  await until(async () => {
    const { stdout } = await stage.cli("status");
    expect(stdout).not.toMatch(/ {2}worker /);
    expect(stdout).toMatch(/ interrupted {2}.*`imagemill resume .*\/out` goes on/s);
    expect(stdout).not.toContain("imagemill work");
  }, 500);
}, 60_000);

test("status --watch ends at once at a signal, and without a word of calls", async () => {
  await using stage = await openStage();
  const watching = stage.startCli("status", "--watch");
  await until(() => expect(watching.stdout).toMatch(/^(no runs\n){2}/));
  watching.kill("SIGINT");
  const { code, stderr } = await watching.ended;
  expect([code, stderr]).toEqual([0, ""]);
});

test("status tells of a run that no producer has open, and of one whose directory is gone, what to do", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using stage = await openStage();
  stage.env["REDIS_URL"] = server.url;
  const status = async () => (await stage.cli("status")).stdout;
  const untilStatus = (words: string | RegExp) =>
    until(async () => expect(await status()).toMatch(words), 500);
  const dataset = stage.dataset(promptRows(50));
  const producer = stage.startCli("enqueue", dataset, "-m", "dall-e-3", "--out", stage.out);
  await untilStatus(/ [1-9]\d* wait .* running {2}/s);
  producer.kill("SIGKILL");
  await untilStatus(
    / interrupted {2}.*no producer has it open: `imagemill resume .*\/out` goes on/s,
  );
  expect(await status()).toContain("no living worker serves this lane: start `imagemill work`");
  rmSync(stage.out, { recursive: true, force: true });
  const gone = await status();
  expect(gone).toContain(`its directory is gone from ${stage.out}: \`imagemill cancel `);
  const [, run] = /imagemill cancel ([a-z2-7]{12})/.exec(gone)!;
  expect(await stage.cli("cancel", run!)).toMatchObject({ code: 0 });
  expect(await status()).toMatch(/ 0 wait .* cancelled {2}(?!.*is gone)/s);
}, 120_000);
