import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openLibraryStage, prompts } from "./library-stage.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

test("a run that is over is looked at no more for a listener that comes late", async () => {
  await using stage = await openLibraryStage(server);
  await stage.work();
  const run = await stage.open({ source: prompts(1) });
  await run.finished;
  const timers = vi.spyOn(globalThis, "setInterval");
  try {
    run.on("progress", () => undefined);
    expect(timers).not.toHaveBeenCalled();
  } finally {
    timers.mockRestore();
  }
});
