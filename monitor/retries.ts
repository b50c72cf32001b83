import type { Queue } from "bullmq";
import { z } from "zod";
import { deathsOf, type Deaths } from "../shared/deaths.ts";
import { dueTime } from "../shared/due-time.ts";
import { CallJob, jobNames, PromptJob } from "../shared/job.ts";
import { pipelineValues } from "../shared/lane-state.ts";
import { parseJson } from "../shared/parse-json.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { AttemptRecord } from "../shared/result.ts";

/** BullMQ's states that a lane's jobs can be in. */
export const jobStates = ["wait", "active", "delayed", "waiting-children"] as const;
export type JobState = (typeof jobStates)[number];

/** Most jobs of a state that are looked at for a page: a lane's window is smaller. */
const mostJobs = 5_000;
/** A job that has failed before and is tried again. */
export interface WaitingRetry {
  /** BullMQ's id of the job. */
  job: string;
  run: string;
  index: number;
  /** The generations of a sub-job; undefined for a prompt job that makes its call itself. */
  generations: readonly number[] | undefined;
  prompt: string;
  /** `delayed`: until `dueAt`; `waiting`: due, behind other jobs; `active`: being tried now. */
  state: "delayed" | "waiting" | "active";
  /** When it is due, in milliseconds since 1970 by the producer's and workers' clocks. */
  dueAt: number | undefined;
  /** All that was tried so far, the last one last. */
  attempts: readonly AttemptRecord[];
  /** Which of the run's attempts comes next or is being made. */
  attempt: number;
}

/** A job whose worker went silent with it in hand. */
export interface SuspectJob {
  job: string;
  run: string;
  index: number;
  deaths: Deaths;
  /** A worker has it in hand, alone. */
  isActive: boolean;
}

/** What of a lane's jobs is not on its first straight way. */
export interface WaitingRetries {
  retries: WaitingRetry[];
  suspects: SuspectJob[];
  /** Active jobs that no worker holds a lock of: they are given to another worker within seconds. */
  lost: { job: string }[];
}

const Hash = z.tuple([z.string().nullable(), z.string().nullable(), z.string().nullable()]);

interface Placed {
  id: string;
  state: WaitingRetry["state"];
  dueAt: number | undefined;
}

/** Reads the jobs of a lane that were tried before, soonest first. */
export async function readRetries(redis: RedisClient, queue: Queue): Promise<WaitingRetries> {
  const [delayed, wait, active] = await Promise.all([
    redis.zrange(queue.toKey("delayed"), "0", String(mostJobs - 1), "WITHSCORES"),
    redis.lrange(queue.toKey("wait"), -mostJobs, -1),
    redis.lrange(queue.toKey("active"), 0, mostJobs - 1),
  ]);
  const placed: Placed[] = [
    ...active.map((id) => ({ id, state: "active" as const, dueAt: undefined })),
    ...wait.toReversed().map((id) => ({ id, state: "waiting" as const, dueAt: undefined })),
    ...pairs(delayed).map(([id, score]) => ({
      id,
      state: "delayed" as const,
      dueAt: dueTime(score),
    })),
  ];
  const found: WaitingRetries = { retries: [], suspects: [], lost: [] };
  if (placed.length === 0) return found;
  const pipeline = redis.pipeline();
  for (const { id } of placed) {
    pipeline.hmget(queue.toKey(id), "name", "data", "stc");
    pipeline.exists(queue.toKey(`${id}:lock`));
  }
  const replies = pipelineValues(await pipeline.exec());
  for (const [i, place] of placed.entries()) {
    const [name, text, stalls] = Hash.parse(replies[2 * i]);
    if (text === null) continue;
    const job = parseJson<PromptJob | CallJob>(name === jobNames.call ? CallJob : PromptJob, text);
    if (!job) continue;
    sort(found, place, job, Number(stalls ?? 0));
    if (place.state === "active" && replies[2 * i + 1] === 0) found.lost.push({ job: place.id });
  }
  return found;
}

function sort(
  found: WaitingRetries,
  { id, state, dueAt }: Placed,
  job: PromptJob | CallJob,
  stalls: number,
): void {
  const { run, index, prompt, soFar } = job;
  const deaths = deathsOf(job, stalls);
  if (deaths.inCompany + deaths.alone > 0)
    found.suspects.push({ job: id, run, index, deaths, isActive: state === "active" });
  const attempts = soFar?.attempts ?? [];
  if (attempts.at(-1)?.outcome === "ok" || attempts.length === 0) return;
  const generations = "generations" in job ? job.generations : undefined;
  const burned = attempts.filter((attempt) => attempt.burned).length;
  const attempt = burned + 1;
  found.retries.push({ job: id, run, index, generations, prompt, state, dueAt, attempts, attempt });
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((value, i) =>
    i % 2 === 0 ? [[value, flat[i + 1]!] as [string, string]] : [],
  );
}
