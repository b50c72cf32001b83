import type { JobsOptions } from "bullmq";
import { z } from "zod";
import { Deaths } from "./deaths.ts";
import { AttemptRecord, ImageRecord, PromptFailure, Usage } from "./result.ts";

/** Version of job data; a worker reads every older one and hands back what is newer. */
export const JOB_VERSION = 1;

/** What became of one call: the return value of a sub-job, and what a job keeps of itself between two attempts. */
export const CallOutcome = z.object({
  images: z.array(ImageRecord),
  failures: z.array(PromptFailure),
  attempts: z.array(AttemptRecord),
  usage: Usage.optional(),
});
export type CallOutcome = z.infer<typeof CallOutcome>;

const base = {
  v: z.int().min(1).max(JOB_VERSION),
  run: z.string(),
  round: z.int().min(0),
  index: z.int().min(0),
  prompt: z.string(),
  /** The row's own parameters, validated, on top of the run's. */
  parameters: z.record(z.string(), z.unknown()).optional(),
  /** The job may have been tried before under this or an earlier id: ask storage before buying. */
  mayExist: z.literal(true).optional(),
  /** Workers that died with the job in hand and that BullMQ's count of its stalls does not tell of. */
  deaths: Deaths.optional(),
  /** How many of its stalls are in `deaths` or tell nothing against it; the next one may be counted ahead. */
  innocentStalls: z.int().min(0).optional(),
  /** When a worker began with it, in milliseconds since 1970; kept only of jobs that began soon after Redis was back. */
  begunAt: z.number().optional(),
  /** What earlier attempts of this job came to. */
  soFar: CallOutcome.optional(),
};

/** A prompt job: makes all images of one prompt, itself or through sub-jobs. */
export const PromptJob = z.object({
  ...base,
  numGenerations: z.int().min(1),
  /** Images of earlier rounds, with their details. */
  have: z.array(ImageRecord).optional(),
});
export type PromptJob = z.infer<typeof PromptJob>;

/** A sub-job: one call for these generations of a prompt. */
export const CallJob = z.object({ ...base, generations: z.array(z.int().min(0)).min(1) });
export type CallJob = z.infer<typeof CallJob>;

/** Only the version, to tell a job that a newer producer made from a broken one. */
export const JobVersion = z.object({ v: z.int() });

/** BullMQ names of the two kinds of job. */
export const jobNames = { prompt: "prompt", call: "call" } as const;

/** `<run>-<round>-<index>`, and `-<first generation>` for a sub-job. */
export function jobId(run: string, round: number, index: number, first?: number): string {
  return first === undefined ? `${run}-${round}-${index}` : `${run}-${round}-${index}-${first}`;
}

/** The prompt that a job of that id, of either kind, is for. */
export function indexOfJob(id: string): number {
  return Number(id.split("-")[2]);
}

/**
 * Options of every job of a run. BullMQ never gives a job up: the worker decides after each attempt, and completes the
 * job with what it came to. Nothing is kept after the end: history is the journal's, and a failed child that stays
 * would catch the next job of its id for ever.
 */
export function jobOptions(id: string): JobsOptions {
  return {
    jobId: id,
    attempts: 1_000_000,
    backoff: { type: "custom" },
    removeOnComplete: true,
    removeOnFail: true,
    stackTraceLimit: 1,
  };
}
