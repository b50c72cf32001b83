import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readResults } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const root = join(import.meta.dirname, "..", "..");

describe.concurrent("what a run is given", () => {
  test("by variables counts as if given by flags, and a wrong value is refused alike", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(3));
    stage.env["IMAGEMILL_MODEL"] = "gpt-image-2";
    stage.env["IMAGEMILL_NUM_GENERATIONS"] = "2";
    const end = await stage.run(dataset);
    expect(end.summary).toMatchObject({ state: "completed", images: 6, calls: 3 });
    stage.env["IMAGEMILL_NUM_GENERATIONS"] = "0";
    expect((await stage.run(dataset)).code).toBe(2);
  });

  test("on standard input is kept with the run, which can be resumed without it", async () => {
    await using stage = await openStage();
    const args = ["run", "-", "--format", "txt", "-m", "gpt-image-2", "--out", stage.out];
    const node = join(root, "node_modules", ".bin", "node");
    const cli = spawn(node, [join(root, "bin", "imagemill.js"), ...args], {
      env: { PATH: process.env["PATH"], ...stage.env },
      stdio: ["pipe", "ignore", "ignore"],
    });
    cli.stdin.end("first prompt\nsecond prompt\n");
    const [code] = await once(cli, "exit");
    expect(code).toBe(0);
    expect(readResults(stage.out)).toHaveLength(2);
    const kept = readFileSync(join(stage.out, ".imagemill", "stdin.txt"), "utf8");
    expect(kept).toBe("first prompt\nsecond prompt\n");
    const again = await stage.cli("resume", stage.out, "--json", "-c", "2");
    expect(again.summary).toMatchObject({ state: "completed", images: 2 });
    expect(again.stderr).not.toContain("standard input");
    expect(stage.simulator.ledger.calls).toBe(2);

    const file = join(stage.out, ".imagemill", "stdin.txt");
    const unread = await stage.cli(...args);
    expect(unread.stderr).toContain("2 rows of it: standard input was not read");
    expect(unread.stderr).toContain(`append it to ${file} and start this again`);
    appendFileSync(file, "third prompt\n");
    const more = await stage.cli(...args, "--json");
    expect(more.summary).toMatchObject({ state: "completed", images: 3 });
    expect(more.stderr).toContain("3 rows of it: standard input was not read");
  });

  test("that has no rows is warned of, from a file and from standard input", async () => {
    await using stage = await openStage();
    const given = ["--format", "jsonl", "-m", "gpt-image-2", "--json"] as const;
    const file = await stage.run(stage.dataset([]), ...given);
    const stdin = await stage.cli("run", "-", ...given, "--out", join(stage.folder, "piped"));
    for (const end of [file, stdin]) {
      expect(end).toMatchObject({ code: 0, summary: { state: "completed", images: 0 } });
      expect(end.stderr).toContain("warning: the input has no rows");
    }
    const readme = readFileSync(join(stage.out, "README.md"), "utf8");
    expect(readme).toContain("There is nothing to load: no image was made");
    expect(readme).not.toContain("from datasets import");
    const again = await stage.cli("resume", stage.out);
    expect(again.stdout).toContain("load      nothing: no image was made");
  });

  test("as a folder or a pipe is refused, since a dataset is read more than once", async () => {
    await using stage = await openStage();
    const end = await stage.run(stage.folder, "--format", "txt", "-m", "gpt-image-2");
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("to be a file, got a folder");
  });
});
