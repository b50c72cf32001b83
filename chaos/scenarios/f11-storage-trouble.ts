import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { downloadRun, settledIn } from "../../test/helpers/bucket-run.ts";
import type { RunningCli } from "../../test/helpers/cli.ts";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import { S3Refusal } from "../../test/helpers/s3-objects.ts";
import { bucketName, type S3Server } from "../../test/helpers/s3-server.ts";
import { defaultPrefix, laneKeys } from "../../shared/keys.ts";
import { readHeartbeats } from "../../shared/lane-state.ts";
import { listLanes } from "../../shared/steer.ts";
import type { Arena } from "../arena.ts";
import { judgedTogether } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, type EnqueuedRun } from "./enqueued-run.ts";

const prefix = "runs/third/";
/** Calls that were let go before the trouble was known have reached the provider by then. */
const onTheirWayMs = 500;

/** Lets no file of a process grow beyond `bytes`: writing fails as on a full disk. */
function limitFiles(pid: number, bytes: string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
}

/** Puts a file where a run keeps images that are being written: the folder cannot be used until it is mended. */
function breakTemporary(out: string): () => void {
  const temporary = join(out, ".imagemill", "tmp");
  renameSync(temporary, `${temporary}-away`);
  writeFileSync(temporary, "");
  return () => {
    rmSync(temporary);
    mkdirSync(temporary);
    rmSync(`${temporary}-away`, { recursive: true });
  };
}

/** Waits until a run in a folder has settled some prompts more, or all. */
async function goesOn(arena: Arena, { out, prompts }: EnqueuedRun): Promise<void> {
  await arena.settled(Math.min(prompts, readJournalOf(out).length + 20), out);
}

/** The bucket asks to slow down until a run in a folder has gone on for a while. Says what was not as it has to be. */
async function bucketTrouble(
  arena: Arena,
  { server, worker, inBucket, other }: Parts,
): Promise<string[]> {
  arena.brokenNow();
  server.trouble = () => new S3Refusal(503, "SlowDown", "Please reduce your request rate.");
  await until("the worker to tell of the bucket", () => /HTTP 503 SlowDown/.test(worker.stderr));
  const quietFrom = Date.now() + onTheirWayMs;
  await goesOn(arena, other);
  await until("the worker's heartbeat to tell of it", () =>
    arena.ask(async (redis) => {
      const [lane] = await listLanes(redis, defaultPrefix);
      const [heartbeat] = await readHeartbeats(redis, laneKeys(defaultPrefix, lane!));
      return heartbeat?.waiting?.includes("HTTP 503 SlowDown");
    }),
  );
  const quietUntil = Date.now();
  server.trouble = () => undefined;
  const calls = (await arena.provider.calls()).filter(
    ({ startedAt }) => startedAt > quietFrom && startedAt < quietUntil,
  );
  const begun = calls.filter((call) => inBucket.owns(call)).length;
  const wanted = Math.min(inBucket.prompts, settledIn(server.bucket, prefix) + 20);
  await until("the run in the bucket to go on", () => settledIn(server.bucket, prefix) >= wanted);
  return faultsOf({
    [`no call of the run in the bucket meanwhile, got ${begun} of ${calls.length}`]: begun === 0,
    "calls of the others meanwhile": calls.length > 0,
  });
}

interface Parts {
  server: S3Server;
  worker: RunningCli;
  inBucket: EnqueuedRun;
  other: EnqueuedRun;
}

export const storageTrouble: Scenario = {
  id: "F11",
  title: "a bucket asks to slow down, the disk is full, one run's directory cannot be written to",
  play: async (arena) => {
    await arena.openProvider({ latencyMs: 200, imageBytes: 50_000 });
    await arena.openRedis();
    const server = await arena.openBucket();
    const prompts = arena.size(600, 200);
    const run = enqueuedRun(arena, { prompts, mark: "first" });
    const other = enqueuedRun(arena, { prompts, name: "other", mark: "second" });
    const location = `s3://${bucketName}/${prefix}`;
    const inBucket = enqueuedRun(arena, { prompts, name: "bucket", mark: "third", location });
    const producers = [run.enqueue(), other.enqueue(), inBucket.enqueue()];
    const worker = arena.work(10);
    await arena.settled(10);
    await arena.settled(10, other.out);
    await until("results in the bucket", () => settledIn(server.bucket, prefix) >= 10);
    const ofBucket = await bucketTrouble(arena, { server, worker, inBucket, other });
    arena.brokenNow();
    limitFiles(worker.pid, "20000");
    await delay(3_000);
    const whileFull = readJournalOf(run.out).length;
    limitFiles(worker.pid, "unlimited");
    await arena.settled(whileFull + 10);
    arena.brokenNow();
    const mend = breakTemporary(run.out);
    await goesOn(arena, other);
    mend();
    const ends = await Promise.all(producers.map((producer) => endedWith(producer, 0)));
    downloadRun(server.bucket, prefix, inBucket.out);
    const verdicts = [await run.judge(), await other.judge(), await inBucket.judge()];
    return {
      verdict: judgedTogether(verdicts),
      out: run.out,
      faults: [
        ...ends.flat(),
        ...ofBucket,
        ...faultsOf({
          "the worker says each time what is wrong": [/SlowDown/, /EFBIG/, /ENOTDIR/].every(
            (reason) => reason.test(worker.stderr),
          ),
          "it says each time that it works again":
            worker.stderr.split("storage works again").length - 1 >= 3,
        }),
      ],
    };
  },
};
