import { mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startQuietMonitor } from "../helpers/quiet-monitor.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

test("the image of a run is told of without being opened, and never taken for anything but an image", async () => {
  const directory = temporaryFolder();
  const run = testRun();
  mkdirSync(join(directory, ".imagemill"));
  writeFileSync(join(directory, ".imagemill/run.json"), JSON.stringify(run));
  mkdirSync(join(directory, "images/00000"), { recursive: true });
  const image = join(directory, "images/00000/00000000-0.png");
  writeFileSync(image, "");
  // More than a stream reads ahead.
  truncateSync(image, 8 * 1024 * 1024);
  await using monitor = await startQuietMonitor({ roots: [], directories: [directory] });
  const url = `${monitor.url}/runs/${run.id}/file/00000/00000000-0.png`;
  const told = await fetch(url, { method: "HEAD" });
  expect(told.status).toBe(200);
  expect(told.headers.get("content-length")).toBe(String(8 * 1024 * 1024));
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 30; i++) await fetch(url, { method: "HEAD" });
  expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 10);
  const answer = await fetch(url);
  expect((await answer.arrayBuffer()).byteLength).toBe(8 * 1024 * 1024);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("content-type")).toBe("image/png");
});
