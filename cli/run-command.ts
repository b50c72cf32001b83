import { resolve } from "node:path";
import { Command } from "commander";
import { UsageError } from "../shared/usage-error.ts";
import { withEnvironment, type Io } from "./io.ts";
import { profileOf, providerAndModel, requireUsable } from "./profiles.ts";
import { addRunOptions, defaultOut, runSettings, type RunOptions } from "./run-options.ts";

const examples = `
Examples:
  imagemill run prompts.csv --provider simulator -n 2
  imagemill run prompts.jsonl --model gpt-image-2 -n 4 -p size=1024x1024 -p quality=low --out runs/cats
  imagemill run prompts.txt --model black-forest-labs/FLUX.1-schnell -p num_inference_steps=4
  imagemill run prompts.tsv --provider openai --base-url http://localhost:8080/v1 --model my-model

Run the same command again to resume: nothing that is stored is asked for again.
Every option can be given as an environment variable, too: --num-generations as IMAGEMILL_NUM_GENERATIONS.
Exit codes: 0 all images made, 3 finished but some failed, 4 stopped (resumable), 5 cancelled, 2 wrong usage, 130/143 interrupted.`;

const enqueueHelp = `
Needs REDIS_URL; workers on any machine make the images: imagemill work. The run directory must be the same folder for
them, at the same path or below their --storage-root. Everything else is as with \`imagemill run\`.`;

/** `imagemill run DATASET`: everything on this machine. */
export function runCommand(io: Io): Command {
  const command = new Command("run")
    .description("turn a dataset of prompts into a dataset of images, on this machine")
    .argument("<dataset>", "prompts: .jsonl, .json, .csv, .tsv or .txt");
  addRunOptions(command).addHelpText("after", examples);
  command.action(async (dataset: string, options: RunOptions) => {
    await startRun(io, dataset, options, true);
  });
  return withEnvironment(command);
}

/** `imagemill enqueue DATASET`: the producer only, for workers elsewhere. */
export function enqueueCommand(io: Io): Command {
  const command = new Command("enqueue")
    .description(
      "put a dataset of prompts on the queue, for workers elsewhere, and collect what comes back",
    )
    .argument("<dataset>", "prompts: .jsonl, .json, .csv, .tsv or .txt");
  addRunOptions(command).addHelpText("after", enqueueHelp);
  command.action(async (dataset: string, options: RunOptions) => {
    await startRun(io, dataset, options, false);
  });
  return withEnvironment(command);
}

async function startRun(
  io: Io,
  dataset: string,
  options: RunOptions,
  workHere: boolean,
): Promise<void> {
  const [provider, model] = providerAndModel(options.provider, options.model);
  const profile = profileOf(provider, io.env, options.baseUrl);
  if (workHere) requireUsable(profile, model, new Date().toISOString().slice(0, 10));
  else if (profile.name === "simulator") {
    throw new UsageError(
      "the simulator of `--provider simulator` is private to `run`: start `imagemill simulate` and set OPENAI_BASE_URL",
    );
  }
  const { settings, warnings } = runSettings(dataset, options, profile, model);
  const out = resolve(options.out ?? defaultOut(dataset, model));
  const notes = warnings.map((text) => `warning: ${text}`);
  const { drive } = await import("./drive.ts");
  await drive(io, { out, settings, profile, options, workHere, notes });
}
