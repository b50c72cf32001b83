import { describe, expect, test } from "vitest";
import { openStage, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const hour = { faultRetryAfterMs: 3_600_000 };

describe.concurrent("a provider that asks for an hour", () => {
  test.each([
    { fault: "overloaded", waiting: /the next attempt is due in 59m/, told: /the next in 59m/ },
    { fault: "rateLimited", waiting: /rate limit, goes on in 59m/, told: /waits 59m \d\ds more/ },
  ] as const)("by $fault for one prompt: until when is told, and no time left", async (wait) => {
    await using stage = await openStage({
      promptFaults: [{ match: "prompt 7", fault: wait.fault }],
      ...hour,
    });
    const run = stage.start(stage.dataset(promptRows(8)), "-m", "gpt-image-2");
    await until(() => expect(run.stderr).toMatch(wait.waiting));
    const line = run.stderr.split("\n").findLast((text) => wait.waiting.test(text));
    expect(line).not.toContain("ETA");
    const { stdout } = await stage.cli("status", stage.out);
    expect(stdout).toMatch(wait.told);
    expect(stdout).not.toContain("left");
  });
});
