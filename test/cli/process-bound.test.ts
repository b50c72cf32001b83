import { expect, test } from "vitest";
import { mostProcesses, startEach } from "../../cli/process-bound.ts";

test("a machine bears four worker processes a core, fewer where its memory ends before, and always one", () => {
  expect(mostProcesses(2, 24e9)).toBe(8);
  expect(mostProcesses(64, 1e9)).toBe(11);
  expect(mostProcesses(1, 50e6)).toBe(1);
});

test("nothing more is started once a signal asks for the end", async () => {
  const ending = new AbortController();
  process.once("SIGUSR2", () => ending.abort());
  let begun = 0;
  const start = () => {
    begun += 1;
    if (begun === 3) process.kill(process.pid, "SIGUSR2");
    return begun;
  };
  const started = await startEach(10_000_000, start, ending.signal);
  expect(started.length).toBeGreaterThanOrEqual(3);
  expect(started.length).toBeLessThan(1_000_000);
});
