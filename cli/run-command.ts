import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { keptStdin, spoolStdin } from "./spool-stdin.ts";
import { cardOf } from "../library/provider.ts";
import { folderPlace } from "../producer/folder-place.ts";
import { openPlace } from "../producer/open-place.ts";
import type { RunPlace } from "../producer/run-place.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { locationOf } from "../shared/run-location.ts";
import { UsageError } from "../shared/usage-error.ts";
import { readConfig } from "./config.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { placeAccess } from "./place-access.ts";
import { profileOf, providerAndModel, requireServed, requireUsable } from "./profiles.ts";
import { addRunOptions, defaultOut, runRequest, type RunOptions } from "./run-options.ts";

const examples = `
Examples:
  imagemill run prompts.csv --provider simulator -n 2
  imagemill run prompts.jsonl --model gpt-image-2 -n 4 \\
    -p size=1024x1024 -p quality=low --out runs/cats
  imagemill run prompts.txt --model black-forest-labs/FLUX.1-schnell \\
    -p num_inference_steps=4
  imagemill run prompts.tsv --model my-model \\
    --provider openai --base-url http://localhost:8080/v1

Run the same command again to resume: nothing that is stored is asked for again.
Every option can be given as an environment variable, too: --num-generations as
IMAGEMILL_NUM_GENERATIONS. One that is empty counts as not set.
Exit codes: 0 all images made, 3 finished but some failed, 4 stopped
(resumable), 5 cancelled, 2 wrong usage, 130/143 interrupted.`;

const enqueueHelp = `
Needs REDIS_URL; workers on any machine make the images: imagemill work. The run
directory must be the same folder for them, at the same path or below their
--storage-root, or be at s3://bucket/prefix. Everything else is as with
\`imagemill run\`.`;

/** `imagemill run DATASET`: everything on this machine. */
export function runCommand(io: Io): Command {
  const command = new EnvironmentCommand("run")
    .description("turn a dataset of prompts into a dataset of images, on this machine")
    .argument("<dataset>", "prompts: .jsonl, .json, .csv, .tsv or .txt; - reads standard input");
  addRunOptions(command).addHelpText("after", examples);
  command.action(async (dataset: string, options: RunOptions) => {
    await startRun(io, dataset, options, true);
  });
  return command;
}

/** `imagemill enqueue DATASET`: the producer only, for workers elsewhere. */
export function enqueueCommand(io: Io): Command {
  const command = new EnvironmentCommand("enqueue")
    .description(
      "put a dataset of prompts on the queue, for workers elsewhere, and collect what comes back",
    )
    .argument("<dataset>", "prompts: .jsonl, .json, .csv, .tsv or .txt; - reads standard input");
  addRunOptions(command).addHelpText("after", enqueueHelp);
  command.action(async (dataset: string, options: RunOptions) => {
    await startRun(io, dataset, options, false);
  });
  return command;
}

async function startRun(
  io: Io,
  dataset: string,
  options: RunOptions,
  workHere: boolean,
): Promise<void> {
  const config = await readConfig(process.cwd(), options.config);
  const [provider, model] = providerAndModel(options.provider, options.model, config);
  const profile = profileOf(provider, io.env, options, config);
  const today = new Date().toISOString().slice(0, 10);
  if (workHere && !options.dryRun) requireUsable(profile, model, today);
  else requireServed(profile, model, today);
  if (!workHere && profile.name === "simulator") {
    throw new UsageError(
      "the simulator of `--provider simulator` is private to `run`: start `imagemill simulate` and set OPENAI_BASE_URL",
    );
  }
  const isStdin = dataset === "-";
  const out = locationOf(options.out ?? defaultOut(isStdin ? "stdin" : dataset, model));
  if (isStdin && options.format === undefined) {
    throw new UsageError("expected --format with - (standard input): jsonl, json, csv, tsv or txt");
  }
  const card = await cardOf(profile, model, { timeoutMs: options.timeout });
  await using stack = new Cleanup();
  const access = placeAccess(io.env);
  const { path, keptInput } = isStdin
    ? await keepStdin(stack, await openPlace(out, access), options)
    : { path: dataset, keptInput: undefined };
  const asked = { ...runRequest(path, options, card), ...access, out, provider: profile };
  const { drive } = await import("./drive.ts");
  await drive(io, { asked, profile, card, options, workHere, keptInput });
}

/**
 * Standard input as a file of the run; for a dry run, which writes nothing there, as one that is removed at once. `keptInput`
 * is the same where an earlier start has kept it: then nothing is read.
 */
async function keepStdin(
  stack: Cleanup,
  place: RunPlace,
  { dryRun, format }: RunOptions,
): Promise<{ path: string; keptInput?: string }> {
  stack.defer(() => place.close());
  const kept = await keptStdin(place, format!);
  if (kept !== undefined) return { path: kept, keptInput: kept };
  if (!dryRun) return { path: await spoolStdin(process.stdin, place, format!) };
  const folder = await mkdtemp(join(tmpdir(), "imagemill-dry-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return { path: await spoolStdin(process.stdin, folderPlace(folder), format!) };
}
