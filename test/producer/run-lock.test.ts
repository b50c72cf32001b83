import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { hostIdentity } from "../../shared/host-identity.ts";
import { acquireRunLock } from "../../producer/run-lock.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { stateFolderPaths } from "./test-lines.ts";
import { until } from "../helpers/until.ts";

interface Holder {
  machine?: string;
  host?: string;
  pid?: number;
  started?: string | null;
  epoch?: number;
}

/** A run directory whose lock somebody holds. */
function lockedBy(holder: Holder): { directory: string; lock: string } {
  const { directory, state } = stateFolderPaths();
  const lock = join(state, "run.lock");
  const whole = {
    host: hostname(),
    machine: hostIdentity(),
    pid: process.pid,
    started: null,
    epoch: 7,
    token: "theirs",
    ...holder,
  };
  writeFileSync(lock, JSON.stringify(whole));
  return { directory, lock };
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "exit");
  return child.pid!;
}

function read(lock: string): Holder & { token: string } {
  return JSON.parse(readFileSync(lock, "utf8"));
}

describe("acquireRunLock", () => {
  test("takes a free lock, keeps it and gives it back", async () => {
    const { directory, state } = stateFolderPaths();
    const path = join(state, "run.lock");
    {
      await using lock = await acquireRunLock(directory);
      expect(lock.epoch).toBe(1);
      await lock.check();
      expect(read(path)).toMatchObject({ host: hostname(), pid: process.pid, epoch: 1 });
    }
    expect(readdirSync(state)).toEqual([]);
    await using again = await acquireRunLock(directory);
    await again.check();
  });

  test("is refused by a living holder, whose process and host it names", async () => {
    const { directory } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    const refused = acquireRunLock(directory);
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(`process ${process.pid} on ${hostname()}`);
    await expect(refused).rejects.toThrow(directory);
    await lock.check();
  });

  test("replaces at once a holder of this host whose process is gone; the epoch grows", async () => {
    const { directory, lock: path } = lockedBy({ pid: await deadPid() });
    const before = Date.now();
    await using lock = await acquireRunLock(directory);
    expect(Date.now() - before).toBeLessThan(3_000);
    expect(lock.epoch).toBe(8);
    await lock.check();
    expect(read(path).pid).toBe(process.pid);
  });

  test.runIf(process.platform === "linux")(
    "replaces a holder whose process id is now another process, told by its start time",
    async () => {
      await using first = await acquireRunLock(
        lockedBy({ pid: process.pid, started: "1" }).directory,
      );
      expect(first.epoch).toBe(8);
    },
  );

  test.runIf(process.platform === "linux")(
    "replaces a holder that was killed but whom its parent has not noticed yet",
    async () => {
      // The shell becomes a program that never asks what became of its child.
      const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; exec sleep 1000"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      onTestFinished(() => void parent.kill("SIGKILL"));
      const [line] = await once(parent.stdout.setEncoding("utf8"), "data");
      const pid = Number(line);
      const fields = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      const { directory } = lockedBy({ pid, started: fields()[19]! });
      await expect(acquireRunLock(directory)).rejects.toThrow(`process ${pid} on ${hostname()}`);
      process.kill(pid, "SIGKILL");
      await until(() => expect(fields()[0]).toBe("Z"));
      await using lock = await acquireRunLock(directory);
      expect(lock.epoch).toBe(8);
    },
  );

  test("believes a holder of another host alive while it touches its lock", async () => {
    const { directory, lock } = lockedBy({
      host: "elsewhere.example",
      machine: "elsewhere",
      pid: 1,
    });
    const touching = setInterval(() => writeFileSync(lock, readFileSync(lock)), 200);
    try {
      await expect(acquireRunLock(directory)).rejects.toThrow("process 1 on elsewhere.example");
    } finally {
      clearInterval(touching);
    }
  });

  test("of many that find the same dead holder exactly one wins; the others are refused", async () => {
    for (let round = 0; round < 10; round++) {
      const { directory, lock: path } = lockedBy({ pid: await deadPid() });
      const takers = await Promise.allSettled(
        Array.from({ length: 8 }, () => acquireRunLock(directory)),
      );
      const won = takers.filter((taker) => taker.status === "fulfilled");
      const lost = takers.filter((taker) => taker.status === "rejected");
      expect(won).toHaveLength(1);
      expect(lost.every(({ reason }) => reason instanceof UsageError)).toBe(true);
      await won[0]!.value.check();
      expect(read(path).epoch).toBe(8);
      await won[0]!.value[Symbol.asyncDispose]();
      expect(existsSync(path)).toBe(false);
    }
  });

  test("of many that find it free exactly one wins", async () => {
    const { directory } = stateFolderPaths();
    const takers = await Promise.allSettled(
      Array.from({ length: 8 }, () => acquireRunLock(directory)),
    );
    const won = takers.filter((taker) => taker.status === "fulfilled");
    expect(won).toHaveLength(1);
    await won[0]!.value[Symbol.asyncDispose]();
  });

  test("goes on where a taker died between its claim and the lock", async () => {
    const dead = await deadPid();
    const { directory, lock } = lockedBy({ pid: dead });
    writeFileSync(
      `${lock}.8`,
      JSON.stringify({
        host: hostname(),
        machine: hostIdentity(),
        pid: dead,
        started: null,
        epoch: 8,
        token: "x",
      }),
    );
    await using taken = await acquireRunLock(directory);
    await expect(taken.check()).resolves.toBeUndefined();
  });

  test("throws at a file that is no lock, naming it", async () => {
    const { directory, lock } = lockedBy({});
    writeFileSync(lock, "{");
    await expect(acquireRunLock(directory)).rejects.toThrow(lock);
  });
});

describe("a lock that was lost", () => {
  test("throws at check(), names the taker, and leaves the taker's lock alone", async () => {
    const { directory, state } = stateFolderPaths();
    const path = join(state, "run.lock");
    const lock = await acquireRunLock(directory);
    writeFileSync(
      path,
      JSON.stringify({
        host: "other",
        machine: "other",
        pid: 9,
        started: null,
        epoch: 2,
        token: "other",
      }),
    );
    await expect(lock.check()).rejects.toThrow("process 9 on other");
    await lock[Symbol.asyncDispose]();
    expect(read(path).token).toBe("other");
  });

  test("throws at check() where somebody removed it", async () => {
    const { directory, state } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    const path = join(state, "run.lock");
    rmSync(path);
    await expect(lock.check()).rejects.toThrow("removed the lock");
  });
});

describe("a holder", () => {
  test("touches its lock, so that other hosts see it alive", async () => {
    const { directory, state } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    const path = join(state, "run.lock");
    const { mtimeMs } = statSync(path);
    await until(() => expect(statSync(path).mtimeMs).toBeGreaterThan(mtimeMs));
    await expect(lock.check()).resolves.toBeUndefined();
  });

  test("tells of a directory that was moved away, and does not blame another producer", async () => {
    const { directory } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    renameSync(directory, `${directory}-elsewhere`);
    await expect(lock.check()).rejects.toThrow(`${directory} was moved or removed`);
    renameSync(`${directory}-elsewhere`, directory);
    await lock.check();
  });
});
