import { z } from "zod";
import { FailureKind } from "./failure.ts";
import { imageFile } from "./storage.ts";

/** What a provider says a call used; token counts where it knows tokens. */
export const Usage = z.object({
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
  totalTokens: z.number().optional(),
});
export type Usage = z.infer<typeof Usage>;

/** One stored image. `file` is relative to the run directory, sizes are in pixels and bytes. */
export const ImageRecord = z.object({
  generation: z.int().min(0),
  file: z
    .string()
    .regex(imageFile, "expected an image below images/, as in images/00000/00000123-0.png"),
  width: z.int(),
  height: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  seed: z.int().optional(),
  revisedPrompt: z.string().optional(),
  costUsd: z.number().optional(),
  /** Found in storage after a crash: its answer's details are not known. */
  recovered: z.literal(true).optional(),
});
export type ImageRecord = z.infer<typeof ImageRecord>;

/** One try at a call. Times are milliseconds since 1970 by the worker's clock. */
export const AttemptRecord = z.object({
  /** The generations that the call asked for. */
  generations: z.array(z.int().min(0)),
  startedAt: z.int(),
  endedAt: z.int(),
  worker: z.string(),
  outcome: z.union([z.literal("ok"), FailureKind]),
  /** False where the failure did not use up one of the run's attempts (a 429, a provider that is away). */
  burned: z.boolean(),
  /** False where it is certain that the provider never received the call. */
  sent: z.boolean(),
  status: z.int().optional(),
  requestId: z.string().optional(),
  retryAfterMs: z.number().optional(),
  message: z.string().optional(),
  /** The most, in US dollars, that the provider may charge for an attempt that failed; not where it certainly does not. */
  mayCostUsd: z.number().optional(),
  /** Milliseconds in the queue before the job's first attempt. */
  queuedMs: z.int().min(0).optional(),
  /** Milliseconds before `startedAt` that rate limits, or a provider that is away, let the call wait. */
  limiterMs: z.int().min(0).optional(),
  /** The part of the attempt, in milliseconds, that checking and storing its images took. */
  storingMs: z.int().min(0).optional(),
});
export type AttemptRecord = z.infer<typeof AttemptRecord>;

/** Why some generations of a prompt have no image. */
export const PromptFailure = z.object({
  generations: z.array(z.int().min(0)),
  kind: FailureKind,
  message: z.string(),
  status: z.int().optional(),
  requestId: z.string().optional(),
});
export type PromptFailure = z.infer<typeof PromptFailure>;

/** `succeeded`: every image is there; `partial`: some are; `failed`: none is; `rejected`: the row was never sent. */
export const PromptState = z.enum(["succeeded", "partial", "failed", "rejected"]);
export type PromptState = z.infer<typeof PromptState>;

/** Version of results on the stream. */
export const RESULT_VERSION = 1;

/** What a prompt came to in one round, as a worker reports it on the run's result stream. */
export const PromptResult = z.object({
  v: z.literal(RESULT_VERSION),
  run: z.string(),
  round: z.int().min(0),
  index: z.int().min(0),
  /** How many images were asked for. */
  numGenerations: z.int().min(1),
  state: PromptState,
  /** Images in storage, by generation, earlier rounds' included. */
  images: z.array(ImageRecord),
  failures: z.array(PromptFailure),
  attempts: z.array(AttemptRecord),
  usage: Usage.optional(),
  /** Cost of the images bought in this round, in US dollars, where prices are known. */
  costUsd: z.number().optional(),
  /** The most that the provider may charge for this round's failed attempts on top of that. */
  mayCostUsd: z.number().optional(),
});
export type PromptResult = z.infer<typeof PromptResult>;

/** How many requests really went out in these attempts. */
export function countCalls(attempts: readonly AttemptRecord[]): number {
  return attempts.filter((attempt) => attempt.sent).length;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

/** Adds two usages field by field. */
export function addUsage(a: Usage | undefined, b: Usage | undefined): Usage | undefined {
  if (!a || !b) return a ?? b;
  const inputTokens = sum(a.inputTokens, b.inputTokens);
  const outputTokens = sum(a.outputTokens, b.outputTokens);
  const totalTokens = sum(a.totalTokens, b.totalTokens);
  return {
    ...(inputTokens !== undefined && { inputTokens }),
    ...(outputTokens !== undefined && { outputTokens }),
    ...(totalTokens !== undefined && { totalTokens }),
  };
}
