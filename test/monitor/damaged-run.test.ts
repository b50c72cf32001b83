import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

test("a run directory that is damaged while it is looked at is shown as such, with what is known", async () => {
  await using watched = await openWatchedMill(server, { prompts: 3 });
  const { mill, monitor } = watched;
  const run = await mill.open();
  await mill.work();
  await run.finished;
  const pageOf = async (path: string) => {
    const response = await fetch(monitor.url + path);
    expect(response.status).toBe(200);
    return await response.text();
  };
  const runPage = () => pageOf(`/runs/${run.id}`);
  await until(async () => expect(await runPage()).toMatch(/3 of 3/));
  expect(await runPage()).not.toContain("cannot be read");
  const journal = join(mill.out, ".imagemill", "journal.jsonl");
  const whole = readFileSync(journal);
  appendFileSync(journal, "this is no line\n{}\n");
  await until(async () => expect(await runPage()).toMatch(/cannot be read to its end.*journal/s));
  expect(await runPage()).not.toContain("is being read");
  expect(await pageOf("/")).toContain("cannot be read to its end");
  writeFileSync(journal, whole);
  const runFile = join(mill.out, ".imagemill", "run.json");
  const asked = readFileSync(runFile);
  writeFileSync(runFile, "{ damaged");
  await until(async () => expect(await runPage()).toMatch(/cannot be read to its end.*run\.json/s));
  writeFileSync(runFile, asked);
  await until(async () => expect(await runPage()).not.toContain("cannot be read"));
});
