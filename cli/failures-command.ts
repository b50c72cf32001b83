import type { Command } from "commander";
import { groupFailures, type FailureGroup } from "../producer/failures.ts";
import { openPlaceForReading, type PlaceAccess } from "../producer/open-place.ts";
import { statePaths } from "../producer/run-directory.ts";
import { cutText } from "../shared/cut-text.ts";
import { damageIn } from "../shared/damaged-journal.ts";
import { failureActions } from "../shared/failure.ts";
import { printable } from "../shared/printable.ts";
import { findRun } from "./find-run.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { placeAccess } from "./place-access.ts";

/** `imagemill failures RUN`: what went wrong, by cause. */
export function failuresCommand(io: Io): Command {
  const command = new EnvironmentCommand("failures")
    .description("show what failed in a run and why, grouped by cause")
    .argument("<run>", "run directory, s3:// location or id")
    .option("--json", "print the groups as JSON")
    .action(async (text: string, { json }: { json?: true }) => {
      const access = placeAccess(io.env);
      const { location } = await findRun(text, access);
      const groups = await failuresAt(location, access);
      io.stdout.write(json ? `${JSON.stringify(groups)}\n` : printable(table(groups, location)));
    });
  return command;
}

async function failuresAt(location: string, access: PlaceAccess): Promise<FailureGroup[]> {
  const place = await openPlaceForReading(location, access);
  try {
    await place.copyJournal();
    const { journal } = statePaths(place.directory);
    return await groupFailures(journal).catch(damageIn(place.store));
  } finally {
    await place.close();
  }
}

function table(groups: readonly FailureGroup[], location: string): string {
  if (groups.length === 0) return "nothing failed\n";
  const lines = groups.flatMap(({ kind, message, status, prompts, examples }) => [
    `${String(prompts).padStart(8)}  ${kind}${status === undefined ? "" : ` (HTTP ${status})`}`,
    `          ${cutText(message.split("\n")[0]!, 300)}`,
    `          ${examples.length < prompts ? "first " : ""}prompts ${examples.join(", ")}`,
  ]);
  const again = groups.some(({ kind }) => kind !== "rejected" && failureActions[kind] === "retry");
  const advice = again ? [`try them again: imagemill retry ${location} --kind KIND`] : [];
  return `${["prompts   cause", ...lines, ...advice].join("\n")}\n`;
}
