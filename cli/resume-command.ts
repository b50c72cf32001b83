import { Option, type Command } from "commander";
import { cardOf } from "../library/provider.ts";
import { FailureKind } from "../shared/failure.ts";
import { unknownName } from "../shared/near-match.ts";
import type { RunFile } from "../shared/run-file.ts";
import { profileIdentity } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import { readConfig, type FoundConfig } from "./config.ts";
import { addChangeOptions, changeRequest, limitsOf, type ChangeOptions } from "./change-options.ts";
import { findRun } from "./find-run.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { placeAccess } from "./place-access.ts";
import { isBuiltIn, profileOf, requireServed, requireUsable } from "./profiles.ts";
import { addDriveOptions, type DriveOptions } from "./run-options.ts";

/** Options of commands that go on with a run. */
interface ResumeOptions extends DriveOptions, ChangeOptions {
  workers?: RunFile["workers"];
}

/**
 * The profile of a run, from the environment as it is now. Where workers elsewhere make the images, this process needs
 * neither key nor base URL.
 * @throws UsageError where it is another one
 */
async function profileOfRun(
  io: Io,
  run: RunFile,
  options: DriveOptions,
  workHere: boolean,
): Promise<{ profile: WorkerProfile; isReached: boolean }> {
  const config = await readConfig(process.cwd(), options.config);
  requireKnown(run, config);
  const profile = profileOf(run.profile.name, io.env, options, config);
  const today = new Date().toISOString().slice(0, 10);
  const isSame = profileIdentity(profile).hash === run.profile.hash;
  if (!isSame && !workHere) {
    const { name, kind, hash } = run.profile;
    const elsewhere = { name, kind, keyVariable: profile.keyVariable, identity: hash };
    return { profile: elsewhere, isReached: false };
  }
  if (!isSame) {
    throw new UsageError(
      run.profile.name === "simulator"
        ? `run ${run.id} was made with another simulator: give its --base-url again, or none if it was the built-in one`
        : `run ${run.id} was made with another base URL of ${run.profile.name}: set it again, by --base-url or its variable`,
    );
  }
  if (options.dryRun || !workHere) requireServed(profile, run.model, today);
  else requireUsable(profile, run.model, today);
  return { profile, isReached: true };
}

/** @throws UsageError where the run's provider is one that a configuration has to name */
function requireKnown({ id, profile: { name } }: RunFile, config: FoundConfig | undefined): void {
  if (isBuiltIn(name) || config?.profiles.has(name)) return;
  throw new UsageError(
    `run ${id} was made by the profile \`${name}\`: start this where imagemill.config.ts, .js or .json names it, or give --config`,
  );
}

/** Adds the options of commands that go on with a run. */
function addResumeOptions(command: Command): Command {
  addChangeOptions(command, { isNew: false });
  return addDriveOptions(command)
    .addOption(
      new Option(
        "--workers <where>",
        "who makes the images: this process, or `imagemill work` over REDIS_URL (default: as the run was last started)",
      ).choices(["here", "elsewhere"]),
    )
    .addHelpText("after", help);
}

const help = `
What is not given stays as it was; -n and --limit may only grow. Rows may have
been appended to the dataset.
A run that was enqueued goes back to the workers elsewhere, from any machine
that sees its directory and its dataset and reaches REDIS_URL; it needs no key
then.`;

/** `imagemill resume RUN`: goes on with the settings that the run has. */
export function resumeCommand(io: Io): Command {
  const command = new EnvironmentCommand("resume")
    .description("go on with a run that was stopped, with the settings it has")
    .argument("<run>", "run directory, s3:// location or id");
  addResumeOptions(command).action(async (text: string, options: ResumeOptions) => {
    await goOn(io, text, options, undefined);
  });
  return command;
}

/** `imagemill retry RUN`: settles failures again as a new round. */
export function retryCommand(io: Io): Command {
  const command = new EnvironmentCommand("retry")
    .description(
      "settle the failed prompts of a run again, as a new round; images that are there stay",
    )
    .argument("<run>", "run directory, s3:// location or id")
    .option(
      "--kind <kinds>",
      "only failures of these kinds, separated by commas (see `imagemill failures`)",
    );
  addResumeOptions(command).action(
    async (text: string, options: ResumeOptions & { kind?: string }) => {
      await goOn(io, text, options, options.kind === undefined ? "all" : parseKinds(options.kind));
    },
  );
  return command;
}

async function goOn(
  io: Io,
  text: string,
  options: ResumeOptions,
  retry: "all" | FailureKind[] | undefined,
): Promise<void> {
  const access = placeAccess(io.env);
  const { location, run } = await findRun(text, access);
  const workHere = (options.workers ?? run.workers) === "here";
  const { profile, isReached } = await profileOfRun(io, run, options, workHere);
  const { timeout: timeoutMs = run.timeoutMs } = options;
  const card = await cardOf(profile, run.model, { timeoutMs });
  const asked = {
    ...access,
    out: location,
    provider: isReached ? profile : undefined,
    retry,
    maxCostUsd: options.maxCost,
    pricePerImageUsd: options.pricePerImage,
    limits: { ...run.limits, ...limitsOf(options) },
    ...changeRequest(options),
  };
  const { drive } = await import("./drive.ts");
  await drive(io, { asked, profile, card, options, workHere, present: run });
}

function parseKinds(text: string): FailureKind[] {
  return text.split(",").map((kind) => {
    const parsed = FailureKind.safeParse(kind.trim());
    if (parsed.success) return parsed.data;
    const known = FailureKind.options;
    throw new UsageError(unknownName("kind", kind, known));
  });
}
