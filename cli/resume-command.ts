import type { Command } from "commander";
import type { RunSettings } from "../producer/run-settings.ts";
import { FailureKind } from "../shared/failure.ts";
import { unknownName } from "../shared/near-match.ts";
import type { RunFile } from "../shared/run-file.ts";
import { profileIdentity, type Profile } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findRun } from "./find-run.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { profileOf, requireServed, requireUsable } from "./profiles.ts";
import { addDriveOptions, type DriveOptions } from "./run-options.ts";

/** The profile of a run, from the environment as it is now. @throws UsageError where it is another one */
function profileOfRun(io: Io, run: RunFile, options: DriveOptions): Profile {
  const profile = profileOf(run.profile.name, io.env, options);
  if (profileIdentity(profile).hash !== run.profile.hash) {
    throw new UsageError(
      `run ${run.id} was made with another base URL of ${run.profile.name}: set it again, by --base-url or its variable`,
    );
  }
  const today = new Date().toISOString().slice(0, 10);
  if (options.dryRun) requireServed(profile, run.model, today);
  else requireUsable(profile, run.model, today);
  return profile;
}

/** The settings that the run has, with the prices that this command gives. */
function settingsOf(run: RunFile, { pricePerImage }: DriveOptions): RunSettings {
  return { ...run, pricePerImageUsd: pricePerImage ?? run.pricePerImageUsd };
}

/** `imagemill resume RUN`: goes on with the settings that the run has. */
export function resumeCommand(io: Io): Command {
  const command = new EnvironmentCommand("resume")
    .description("go on with a run that was stopped, with the settings it has")
    .argument("<run>", "run directory or id");
  addDriveOptions(command).action(async (text: string, options: DriveOptions) => {
    const { directory, run } = await findRun(text);
    const profile = profileOfRun(io, run, options);
    const { drive } = await import("./drive.ts");
    const settings = settingsOf(run, options);
    await drive(io, { out: directory, settings, profile, options, workHere: true, notes: [] });
  });
  return command;
}

/** `imagemill retry RUN`: settles failures again as a new round. */
export function retryCommand(io: Io): Command {
  const command = new EnvironmentCommand("retry")
    .description(
      "settle the failed prompts of a run again, as a new round; images that are there stay",
    )
    .argument("<run>", "run directory or id")
    .option(
      "--kind <kinds>",
      "only failures of these kinds, separated by commas (see `imagemill failures`)",
    );
  addDriveOptions(command).action(
    async (text: string, options: DriveOptions & { kind?: string }) => {
      const { directory, run } = await findRun(text);
      const profile = profileOfRun(io, run, options);
      const kinds = options.kind === undefined ? null : parseKinds(options.kind);
      const { drive } = await import("./drive.ts");
      await drive(io, {
        out: directory,
        settings: settingsOf(run, options),
        profile,
        options,
        retry: { kinds },
        workHere: true,
        notes: [],
      });
    },
  );
  return command;
}

function parseKinds(text: string): string[] {
  return text.split(",").map((kind) => {
    const parsed = FailureKind.safeParse(kind.trim());
    if (parsed.success) return parsed.data;
    const known = FailureKind.options;
    throw new UsageError(unknownName("kind", kind, known));
  });
}
