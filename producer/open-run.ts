import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { Cleanup } from "../shared/cleanup.ts";
import { damageIn } from "../shared/damaged-journal.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { cardOfRun } from "../shared/model-registry.ts";
import { plural } from "../shared/quantity.ts";
import type { RunFile, RunSummary } from "../shared/run-file.ts";
import { readSteering, type Steering } from "../shared/steering.ts";
import { folderPlace } from "./folder-place.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import { Journal } from "./journal.ts";
import type { OpenRunOptions } from "./open-run-options.ts";
import { replayJournal, type Replay } from "./replay.ts";
import { RowHashes } from "./row-hashes.ts";
import { checkDataset, openRunFile, retryOf, startRound, statePaths } from "./run-directory.ts";
import { reopenGone } from "./gone-images.ts";
import { isComplete, RunLife, type RunProgress } from "./run-life.ts";
import type { RunPlace } from "./run-place.ts";
import { requirePrice } from "./run-settings.ts";
import type { Settled } from "./settled.ts";
import type { StopReason } from "./stop.ts";
import { surveyRows } from "./survey.ts";
import { WholeFolders } from "./whole-folders.ts";

/** With fewer prompts, listing their folders takes less than finding out that they need not be listed. */
const promptsWorthKnowing = 10_000;

/** A run that is under way. */
export interface Run {
  readonly id: string;
  /** What the run directory said of it when it was opened. */
  readonly resumed: boolean;
  /** Nothing is left to be done: no Redis is asked for, no call made. */
  readonly isComplete: boolean;
  /** How the run was steered while no producer had it open; undefined where it may run. */
  readonly steering: Steering | undefined;
  /** How many prompts that failed are settled again by the round that was asked for; undefined where none was. */
  readonly retried: number | undefined;
  /** What was repaired when the run directory was opened, for people. */
  readonly repaired: readonly string[];
  /** Resolves when all output files are written; rejects only on a bug or where the directory fails. */
  readonly finished: Promise<RunSummary>;
  progress(): RunProgress;
  /** Every prompt that is settled, then those that get settled, each once, to the end of this life. */
  lines(): AsyncGenerator<JournalLine>;
  /** Pauses or cancels it or lets it go on, also for lives to come. @throws UsageError where it has ended */
  steer(state: "running" | "paused" | "cancelled", reason?: string): Promise<void>;
  /** Ends it early: nothing more is sent; what is in flight is settled. */
  stop(reason: StopReason): void;
  /** Told of prompts once they are durably settled. Gives a function that ends it. */
  onSettled(listener: (lines: readonly JournalLine[]) => void): () => void;
}

/**
 * Creates or resumes the run of a directory and starts it.
 * @throws UsageError where the directory is in use, holds another run, or rows of the dataset have changed; what
 * `approve` throws
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  requirePrice(options.settings);
  const stack = new Cleanup();
  try {
    const { id, resumed, steering, retried, repaired, life } = await openLife(options, stack);
    const finished = runAndClose(life, stack.move());
    finished.catch(() => undefined);
    return {
      id,
      resumed,
      isComplete: life.isComplete,
      steering,
      retried,
      repaired,
      finished,
      progress: () => life.progress(),
      lines: () => life.lines(),
      steer: (state, reason) => life.steer(state, reason),
      stop: (reason) => life.stop(reason),
      onSettled: (listener) => life.onSettled(listener),
    };
  } finally {
    await stack[Symbol.asyncDispose]();
  }
}

/** Locks the run directory and reads what it holds. What is opened is closed with `stack`. */
async function openLife(
  options: OpenRunOptions,
  stack: Cleanup,
): Promise<Pick<Run, "id" | "resumed" | "steering" | "retried" | "repaired"> & { life: RunLife }> {
  const place = options.place ?? folderPlace(resolve(options.out));
  stack.defer(() => place.close());
  await place.prepare();
  const lock = stack.use(await place.lock());
  const { directory } = place;
  const { keepJournal, keepRows, cutJournal } = stack.use(await place.open());
  const { run, isNew, isChanged } = await openRunFile(place, options.settings);
  const paths = statePaths(directory);
  const model = { card: cardOfRun(run, options.card), passThrough: options.passThrough };
  const steering = await readSteering(place.state);
  const isCancelled = steering?.state === "cancelled";
  const retry = isCancelled ? undefined : retryOf(run, options.retry);
  const { settled, validBytes, torn, retried } = await replayRound(paths.journal, run, retry).catch(
    damageIn(place.store),
  );
  const known = await foldersKnown(place, settled);
  const gone = await reopenGone(place, paths.journal, settled, run.numGenerations, known);
  const hashes = stack.use(await RowHashes.open(paths.rows, keepRows));
  // A run can be cancelled though its dataset is gone.
  const hasMoved = !isCancelled && (await checkDataset(run, hashes));
  if (isNew) await readFirstRow(run);
  // A run that begins has none yet.
  const journalFile = await open(paths.journal, "a+");
  stack.defer(() => journalFile.close());
  if (!isComplete(run, settled))
    await options.approve?.(await surveyRows({ run, settled, journal: journalFile, model }));
  if (isChanged || hasMoved || retry) await place.writeRun(run);
  await known?.write();
  if (torn) await cutJournal?.(validBytes);
  const journal = stack.use(await Journal.open(paths.journal, validBytes, lock, keepJournal));
  const read = { place, directory, run, model, settled, steering };
  const held = { hashes, journal, lock, journalFile };
  return {
    id: run.id,
    resumed: !isNew,
    steering,
    retried: options.retry && retried,
    repaired: repairsOf(torn, gone),
    life: new RunLife({ ...options, ...read, ...held }),
  };
}

/** Replays the journal in the round that is asked for; where that has nothing to do again, in the one before. */
async function replayRound(
  journal: string,
  run: RunFile,
  retry: OpenRunOptions["retry"],
): Promise<Replay & { retried: number | undefined }> {
  const round = retry && startRound(run, retry.kinds);
  const replay = await replayJournal(journal, run);
  const retried = round && replay.settled.redo.size;
  if (retried !== 0) return { ...replay, retried };
  // What the round before has left, this one would not have done.
  round?.undo();
  return { ...(await replayJournal(journal, run)), retried };
}

/** Folders that need not be listed, where there are so many that this is worth knowing. */
async function foldersKnown(place: RunPlace, settled: Settled): Promise<WholeFolders | undefined> {
  return settled.count < promptsWorthKnowing ? undefined : await WholeFolders.read(place.state);
}

/** What opening a damaged run directory mends, for people. */
function repairsOf(torn: boolean, gone: number): string[] {
  return [
    ...(torn
      ? ["the journal's last line was torn and was cut off: its prompt is settled again"]
      : []),
    ...(gone > 0
      ? [
          `${plural(gone, "image of a settled prompt is", "images of settled prompts are")} gone from the disk: ${gone === 1 ? "it is" : "they are"} made again`,
        ]
      : []),
  ];
}

/** A dataset that cannot be read at all, or lacks a column, is refused before the run exists. @throws UsageError */
async function readFirstRow(run: RunFile): Promise<void> {
  for await (const row of readDataset(run.source)) if (row.index >= 0) return;
}

async function runAndClose(life: RunLife, resources: Cleanup): Promise<RunSummary> {
  await using _ = resources;
  return await life.run();
}
