import type { Command } from "commander";
import type { ExportProgress, ExportSummary } from "../producer/export/export-run.ts";
import { unknownName } from "../shared/near-match.ts";
import { printable } from "../shared/printable.ts";
import { bytes, count, formatSeconds, plural } from "../shared/quantity.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findRun } from "./find-run.ts";
import { EnvironmentCommand, exitCodes, type Io } from "./io.ts";
import { placeAccess } from "./place-access.ts";
import { bar } from "./progress-view.ts";
import { Terminal } from "./terminal.ts";

interface ExportCommandOptions {
  format: string;
  to: string;
  json?: true;
}

const help = `
Formats:
  imagefolder  images/ and metadata.parquet, as in the run directory
  jsonl        images/ and images.jsonl, one line for each image
  parquet      data/train-*.parquet of about 500 MB that hold the images, as
               Hugging Face datasets stores them
  webdataset   data/train-*.tar of about 500 MB, with KEY.png (or jpg, webp) and
               KEY.json of each image

A README.md tells Hugging Face datasets how to load each. The run may be going
on: what is settled by then is exported.
Images of imagefolder and jsonl are hard links where the disk has them: the same
files as the run's, under a second name.
What is half done is in DEST.partial until all of it is there; after a crash the
same command goes on with it.
Exit codes: 0 exported, 4 stopped (an image is gone, the disk is full; the same
command goes on), 2 wrong usage.`;

/** `imagemill export RUN`: the images of a run as a dataset in one of several forms. */
export function exportCommand(io: Io): Command {
  const command = new EnvironmentCommand("export")
    .description("write the images of a run as a dataset in another form")
    .argument("<run>", "run directory, s3:// location or id")
    .requiredOption("--format <format>", "imagefolder, jsonl, parquet or webdataset")
    .requiredOption("--to <folder>", "where to: a folder that is empty or not there yet")
    .option("--json", "print what was exported as one JSON object")
    .addHelpText("after", help)
    .action(async (text: string, options: ExportCommandOptions) => {
      await exportAs(io, text, options);
    });
  return command;
}

async function exportAs(io: Io, text: string, options: ExportCommandOptions): Promise<void> {
  const { ExportFormat, exportRun } = await import("../producer/export/export-run.ts");
  const { ExportStopped } = await import("../producer/export/export-stopped.ts");
  const { data: format } = ExportFormat.safeParse(options.format);
  if (!format) throw new UsageError(unknownName("format", options.format, ExportFormat.options));
  const access = placeAccess(io.env);
  const { location: directory } = await findRun(text, access);
  const terminal = new Terminal(io.stderr);
  try {
    const onProgress = progressShower(terminal);
    const { s3 } = access;
    const summary = await exportRun({ directory, s3, format, to: options.to, onProgress });
    terminal.clear();
    if (summary.note !== undefined) terminal.write(`note: ${summary.note}`);
    io.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : printable(sentence(summary)));
  } catch (error) {
    terminal.clear();
    if (!(error instanceof ExportStopped)) throw error;
    terminal.write(`imagemill: ${error.message}`);
    io.exitCode = exitCodes.stopped;
  }
}

/** Shows how far an export is: a bar on a terminal, else a line every 10 s. */
function progressShower(terminal: Terminal): (progress: ExportProgress) => void {
  const startedAt = Date.now();
  const everyMs = terminal.isInteractive ? 200 : 10_000;
  let shownAt = terminal.isInteractive ? 0 : startedAt;
  return (progress) => {
    const now = Date.now();
    if (now - shownAt < everyMs) return;
    shownAt = now;
    const line = progressLine(progress, (now - startedAt) / 1000);
    if (terminal.isInteractive) terminal.status(line);
    else terminal.write(line);
  };
}

function progressLine(progress: ExportProgress, seconds: number): string {
  const { images, totalImages, totalBytes } = progress;
  const share = images / totalImages;
  return [
    bar(share),
    `${count(images)}/${plural(totalImages, "image")}`,
    `${bytes(progress.bytes)} of ${bytes(totalBytes)}`,
    `ETA ${formatSeconds(seconds / share - seconds)}`,
  ].join("  ");
}

function sentence(summary: ExportSummary): string {
  const { run, state, format, to, images, prompts } = summary;
  const size = bytes(summary.bytes);
  const so = state === "unfinished" ? `; run ${run} is not finished, these are what it had` : "";
  return `${plural(images, "image")} (${size}) of ${plural(prompts, "prompt")} as ${format} in ${to}${so}\n`;
}
