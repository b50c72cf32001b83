import { InvalidArgumentError, Option, type Command } from "commander";
import type { RunRequest } from "../library/run-request.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import { duration, perMinute, wholeNumber } from "./numbers.ts";

/** Options of settings that a run may change when it is resumed. */
export interface ChangeOptions {
  numGenerations?: number;
  maxPerCall?: number;
  limit?: number | "all";
  imagesPerMinute?: number;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  attempts?: number;
  timeout?: number;
  durable?: true;
}

/** What is not given has its default in a run that starts, and stays as it was in one that goes on. */
export function addChangeOptions(command: Command, { isNew }: { isNew: boolean }): Command {
  const may = isNew ? "" : "; may only grow";
  const images = option(
    "-n, --num-generations <n>",
    `images for each prompt${may}`,
    wholeNumber(1, 1_000),
  );
  const attempts = option(
    "--attempts <n>",
    "tries of a call before its images are given up",
    wholeNumber(1),
  );
  const timeout = option("--timeout <time>", "longest call", duration);
  if (isNew) {
    images.default(1);
    attempts.default(8);
    timeout.default(180_000, "3m");
  }
  return command
    .addOption(images)
    .option("--max-per-call <n>", "images that one call may ask for", wholeNumber(1))
    .option("--limit <n|all>", `only the first n rows${may}`, rowLimit)
    .option(
      "--images-per-minute <n>",
      "the provider's limit; without it, it is found out",
      perMinute,
    )
    .option("--requests-per-minute <n>", "the same for calls", perMinute)
    .option(
      "--tokens-per-minute <n>",
      "the same for tokens of prompts and images, as answers tell them",
      perMinute,
    )
    .addOption(attempts)
    .addOption(timeout)
    .option("--durable", "an image counts as stored once the disk has it");
}

function option(flags: string, text: string, parse: (value: string) => unknown): Option {
  return new Option(flags, text).argParser(parse);
}

function rowLimit(text: string): number | "all" {
  if (text === "all") return text;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== "") return value;
  throw new InvalidArgumentError(`Expected a whole number from 0 up, or \`all\`, got \`${text}\`.`);
}

/** The limits that these options name. */
export function limitsOf({
  imagesPerMinute,
  requestsPerMinute,
  tokensPerMinute,
}: ChangeOptions): LaneLimits {
  return {
    ...(imagesPerMinute !== undefined && { imagesPerMinute }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(tokensPerMinute !== undefined && { tokensPerMinute }),
  };
}

/** The settings that these options ask for, but for limits. */
export function changeRequest(options: ChangeOptions) {
  return {
    numGenerations: options.numGenerations,
    maxGenerationsPerCall: options.maxPerCall,
    limit: options.limit === "all" ? null : options.limit,
    attempts: options.attempts,
    timeoutMs: options.timeout,
    durable: options.durable,
  } satisfies RunRequest;
}
