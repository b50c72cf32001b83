import type { ChildProcess } from "node:child_process";

const running = new Set<ChildProcess>();

/** Ends a process with the test file's own: a test that runs out of time disposes of nothing, and vitest ends it by SIGTERM. */
export function killAtExit(child: ChildProcess): void {
  if (!process.listeners("exit").includes(killRunning)) {
    process.on("exit", killRunning);
    process.once("SIGTERM", () => {
      killRunning();
      process.kill(process.pid, "SIGTERM");
    });
  }
  running.add(child);
  child.once("exit", () => running.delete(child));
}

function killRunning(): void {
  for (const child of running) child.kill("SIGKILL");
}
