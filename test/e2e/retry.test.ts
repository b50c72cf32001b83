import { describe, expect, test } from "vitest";
import { readRunFile } from "../../shared/run-file.ts";
import { runCli } from "../helpers/cli.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { fingerprint, readJournalOf, readRecords, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

describe.concurrent("failed prompts", () => {
  test("are grouped by cause, and `retry --kind` makes those of that kind and no other", async () => {
    await using stage = await openStage({
      promptFaults: [{ match: "flaky", fault: "error500" }],
    });
    const { ledger, settings } = stage.simulator;
    const rows = promptRows(20).map(({ prompt }, i) => ({
      prompt: i % 5 === 2 ? `flaky ${prompt}` : i === 9 ? `moderated ${prompt}` : prompt,
    }));
    const command = [stage.dataset(rows), "-m", "gpt-image-2", "-n", "2"] as const;
    const first = await stage.run(...command, "--attempts", "1");
    expect(first.code).toBe(3);
    expect(first.summary.prompts).toEqual({
      total: 20,
      succeeded: 15,
      partial: 0,
      failed: 5,
      rejected: 0,
    });

    const groups = await stage.cli("failures", stage.out, "--json");
    expect(groups.code).toBe(0);
    expect(groups.json).toEqual([
      {
        kind: "unavailable",
        status: 500,
        prompts: 4,
        examples: [2, 7, 12, 17],
        message: expect.stringContaining("server had an error"),
      },
      {
        kind: "content_policy",
        status: 400,
        prompts: 1,
        examples: [9],
        message: expect.stringContaining("safety system"),
      },
    ]);
    const table = await stage.cli("failures", stage.out);
    expect(table.stdout).toMatch(/4 {2}unavailable \(HTTP 500\)/);
    expect(table.stdout).toContain(`imagemill retry ${stage.out}`);

    settings.promptFaults = [];
    const before = ledger.calls;
    const retried = await stage.cli("retry", stage.out, "--kind", "unavailable", "--json");
    expect(retried.code).toBe(3);
    expect(retried.summary.prompts).toMatchObject({ total: 20, succeeded: 19, failed: 1 });
    const again = [...ledger.records()].slice(before);
    expect(again.map(({ prompt }) => prompt).toSorted()).toEqual(
      rows
        .map(({ prompt }) => prompt)
        .filter((prompt) => prompt.startsWith("flaky"))
        .toSorted(),
    );
    const rounds = readJournalOf(stage.out).filter(({ round }) => round === 1);
    expect(rounds.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([2, 7, 12, 17]);
    expect(readRecords(stage.out, "failures.jsonl").map(({ index }) => index)).toEqual([9]);
    const left = await stage.cli("failures", stage.out, "--json");
    expect(left.json).toEqual([expect.objectContaining({ kind: "content_policy", prompts: 1 })]);

    const end = await stage.run(...command, "--allow-failures", "1");
    expect(end.code).toBe(0);
    expect(ledger.calls).toBe(before + 4);
  });

  test("are none: `retry` says so, begins no round, and changes nothing", async () => {
    await using stage = await openStage();
    const rows = [...promptRows(2), { prompt: "moderated" }];
    const command = [stage.dataset(rows), "-m", "gpt-image-2", "--limit", "2"] as const;
    expect((await stage.run(...command)).code).toBe(0);
    const before = fingerprint(stage.out);
    const nothing = await stage.cli("retry", stage.out, "--json");
    expect(nothing.code).toBe(0);
    expect(nothing.stderr).toContain("nothing that failed so is to be done again: no new round");
    expect(nothing.summary).toMatchObject({ state: "completed", images: 2, calls: 2 });
    const { ".imagemill/run.json": _, ...unchanged } = before;
    expect(fingerprint(stage.out)).toMatchObject(unchanged);
    expect(await readRunFile(stage.out)).toMatchObject({ round: 0, retryKinds: null });
    // Of another kind than what has failed it is the same.
    await stage.cli("resume", stage.out, "--limit", "all");
    const other = await stage.cli("retry", stage.out, "--kind", "timeout", "--json");
    expect(other.code).toBe(3);
    expect(other.stderr).toContain("no new round is begun");
    expect(await readRunFile(stage.out)).toMatchObject({ round: 0 });
    // It has raised the number of images at the same time, so there is something to do.
    const more = await stage.cli("retry", stage.out, "-n", "2", "--allow-failures", "1", "--json");
    expect(more.code).toBe(0);
    expect(more.summary).toMatchObject({ images: 4, prompts: { succeeded: 2, failed: 1 } });
  });

  test("that a retry makes leave a dataset as if nothing had happened", async () => {
    await using stage = await openStage({
      promptFaults: [{ match: "prompt 3 ", fault: "error500" }],
    });
    await using other = await openStage();
    const rows = promptRows(6);
    const seeded = ["--provider", "huggingface", "-n", "2", "--seed", "5"] as const;
    const undisturbed = other.run(other.dataset(rows), ...seeded);
    const first = await stage.run(stage.dataset(rows), ...seeded, "--attempts", "1");
    expect(first.code).toBe(3);
    expect(readResults(stage.out)[3]).toMatchObject({ state: "failed", images: [null, null] });
    stage.simulator.settings.promptFaults = [];
    const retried = await stage.cli("retry", stage.out, "--json");
    expect(retried.code).toBe(0);
    expect(retried.summary).toMatchObject({
      state: "completed",
      images: 12,
      prompts: { succeeded: 6 },
    });
    expect((await undisturbed).code).toBe(0);
    for (const name of ["results.jsonl", "images.jsonl", "failures.jsonl"]) {
      expect(readRecords(stage.out, name)).toEqual(readRecords(other.out, name));
    }
  });

  test("of a run that was enqueued go back to the workers elsewhere, with no key or base URL here", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({
      promptFaults: [{ match: "prompt 3 ", fault: "error500" }],
    });
    stage.env["REDIS_URL"] = server.url;
    const worker = stage.startCli("work", "-c", "4");
    const dataset = stage.dataset(promptRows(6));
    const given = ["-m", "dall-e-3", "-n", "2", "--attempts", "1", "--out", stage.out] as const;
    const first = await stage.cli("enqueue", dataset, ...given, "--json");
    expect(first.code).toBe(3);
    stage.simulator.settings.promptFaults = [];
    const { OPENAI_BASE_URL: _, ...elsewhere } = stage.env;
    const place = { cwd: stage.folder, env: elsewhere };
    const retried = await runCli(["retry", stage.out, "--json"], place);
    expect(retried.code).toBe(0);
    expect(retried.summary).toMatchObject({ state: "completed", images: 12 });
    const workers = readJournalOf(stage.out).flatMap(({ attempts }) =>
      attempts.map((a) => a.worker),
    );
    expect(new Set(workers).size).toBe(1);
    worker.kill("SIGTERM");
    await worker.ended;

    // Told otherwise, it works here, and then needs to know where.
    const blind = await runCli(["retry", stage.out, "--workers", "here"], place);
    expect(blind).toMatchObject({ code: 2, stderr: expect.stringContaining("another base URL") });
    const here = await stage.cli("resume", stage.out, "--workers", "here", "--json");
    expect(here.summary).toMatchObject({ state: "completed", images: 12 });
    expect((await readRunFile(stage.out))!.workers).toBe("here");
  });
});
