import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RunSummary, writeRunFile } from "../../shared/run-file.ts";
import { writeSteering } from "../../shared/steering.ts";
import { startQuietMonitor } from "../helpers/quiet-monitor.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";
import { until } from "../helpers/until.ts";

function summaryOf(run: string, state: RunSummary["state"], reason?: string): RunSummary {
  const prompts = { total: 1, succeeded: 1, partial: 0, failed: 0, rejected: 0 };
  const sums = { images: 1, calls: 1, retries: 0, throttled: 0, usage: {}, costUsd: null };
  return { run, state, out: "", prompts, ...sums, seconds: 1, ...(reason && { reason }) };
}

/** The monitor's page of a run that no producer has open, and that ended in this state, if in any. */
async function openPage(state: RunSummary["state"] | undefined, reason?: string) {
  const runs = temporaryFolder();
  const out = join(runs, "steered");
  const run = testRun();
  if (state) run.summary = summaryOf(run.id, state, reason);
  mkdirSync(join(out, ".imagemill"), { recursive: true });
  await writeRunFile(out, run);
  const monitor = await startQuietMonitor({ roots: [runs], directories: [] });
  onTestFinished(() => monitor[Symbol.asyncDispose]());
  const shown = async () => {
    const text = await (await fetch(`${monitor.url}/runs/${run.id}`)).text();
    const condition = /class="badge is-(\w+)"/.exec(text)?.[1];
    return { condition, note: /<p class="note">(.*?)<\/p>/s.exec(text)?.[1] };
  };
  return { out, shown };
}

test("a cancelled run whose cancel is taken back is shown as stopped, and how it goes on", async () => {
  const { out, shown } = await openPage("cancelled", "enough");
  await writeSteering(out, "cancelled", "enough");
  await until(async () =>
    expect(await shown()).toEqual({ condition: "cancelled", note: "enough" }),
  );
  await writeSteering(out, "running");
  await until(async () =>
    expect(await shown()).toEqual({
      condition: "stopped",
      note: expect.stringContaining(`imagemill resume ${out}`),
    }),
  );
});

test.each(["stopped", undefined] as const)(
  "a run that ended as %s is shown as paused or cancelled once it is",
  async (state) => {
    const { out, shown } = await openPage(state);
    await until(async () =>
      expect(await shown()).toEqual({ condition: state ?? "interrupted", note: undefined }),
    );
    await writeSteering(out, "paused", "lunch");
    await until(async () => expect(await shown()).toEqual({ condition: "paused", note: "lunch" }));
    await writeSteering(out, "cancelled");
    await until(async () =>
      expect(await shown()).toEqual({ condition: "cancelled", note: undefined }),
    );
  },
);

test("a run that is complete stays so, also while it is paused for images that are asked for later", async () => {
  const { out, shown } = await openPage("completed");
  await writeSteering(out, "paused", "lunch");
  await until(async () =>
    expect(await shown()).toEqual({ condition: "completed", note: undefined }),
  );
});
