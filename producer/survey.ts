import { open, type FileHandle } from "node:fs/promises";
import { priceOfCall, type CallPrice } from "../shared/call-price.ts";
import { tokensOfCall } from "../shared/call-tokens.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { damageIn } from "../shared/damaged-journal.ts";
import { cardOfRun, type ModelCard } from "../shared/model-registry.ts";
import type { RunFile } from "../shared/run-file.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import { reopenGone } from "./gone-images.ts";
import { placeOf } from "./dataset/build-row.ts";
import { refusal, type ReadableRow, type TakenModel } from "./prompt-rows.ts";
import { earlierImages, replayJournal } from "./replay.ts";
import { checkDataset, newRun, retryOf, startRound, statePaths } from "./run-directory.ts";
import { requirePrice, resumedRun, type RunSettings } from "./run-settings.ts";
import type { RunPlace } from "./run-place.ts";
import { RowHashes } from "./row-hashes.ts";
import { Settled } from "./settled.ts";

/** Rejected rows that are shown with their reasons. */
const shownRejections = 5;

/** What is asked about a run before it is made. */
export interface SurveyOptions {
  /** Where the run is or is to be, for reading. */
  place: RunPlace;
  settings: RunSettings;
  retry?: { kinds: string[] | null } | undefined;
  passThrough: boolean;
  card?: ModelCard | undefined;
}

/** What a run has to do, and what it will cost if nothing has to be tried twice. */
export interface Survey {
  /** Prompts that still have to be made. */
  prompts: number;
  /** Prompts that the run directory has already; nothing is paid for them. */
  settled: number;
  images: number;
  calls: number;
  rejected: number;
  /** The first rejected rows, by their 1-based number in the dataset and their line where its format has lines. */
  rejections: { row: number; line?: number; reason: string }[];
  /** Undefined where no price is known for one of the calls. */
  cost: CallPrice | undefined;
  /** That the calls are expected to take; undefined where it is not known of one of them. */
  tokens: number | undefined;
}

/**
 * Reads the whole dataset as the run would, and the run directory where there is one. Writes nothing, and may be asked
 * while a producer has the run.
 * @throws UsageError where the run would be refused
 */
export async function surveyRun(options: SurveyOptions): Promise<Survey> {
  requirePrice(options.settings);
  await using stack = new Cleanup();
  const { run, settled, journal } = await openForReading(options, stack);
  const model = { card: cardOfRun(run, options.card), passThrough: options.passThrough };
  return await surveyRows({ run, settled, journal, model });
}

/** What an opened run has to do. `journal`, for reading, is where earlier images of its prompts are listed. */
export async function surveyRows({
  run,
  settled,
  journal,
  model,
}: {
  run: RunFile;
  settled: Settled;
  journal: FileHandle | undefined;
  model: TakenModel;
}): Promise<Survey> {
  const survey: Survey = {
    prompts: 0,
    settled: 0,
    images: 0,
    calls: 0,
    rejected: 0,
    rejections: [],
    cost: { expectedUsd: 0, atMostUsd: 0 },
    tokens: 0,
  };
  for await (const row of readDataset(run.source)) {
    if (run.limit !== null && row.index >= run.limit) break;
    if (settled.has(row.index)) {
      survey.settled += 1;
      continue;
    }
    const reason = row.ok ? refusal(row, run, model) : row.reason;
    if (!row.ok || reason !== undefined) {
      survey.rejected += 1;
      if (survey.rejections.length < shownRejections)
        survey.rejections.push({ ...placeOf(row), reason: reason! });
      continue;
    }
    const earlier = journal && (await earlierImages(settled, journal, row.index));
    count(survey, model.card, run, row, run.numGenerations - (earlier?.have.length ?? 0));
  }
  return survey;
}

/** Adds the calls for so many missing images of a row. */
function count(
  survey: Survey,
  card: ModelCard,
  run: RunFile,
  row: ReadableRow,
  missing: number,
): void {
  survey.prompts += 1;
  survey.images += missing;
  const parameters = { ...run.parameters, ...row.parameters };
  for (let left = missing; left > 0; left -= run.maxGenerationsPerCall) {
    survey.calls += 1;
    const images = Math.min(left, run.maxGenerationsPerCall);
    const call = { images, prompt: row.prompt, parameters };
    const price = priceOfCall(card, call);
    survey.cost = survey.cost && price && add(survey.cost, price);
    const tokens = tokensOfCall(card.tokenScheme, call);
    if (tokens && survey.tokens !== undefined)
      survey.tokens += tokens.input.expected + tokens.output.expected;
    else survey.tokens = undefined;
  }
}

function add(a: CallPrice, b: CallPrice): CallPrice {
  return {
    expectedUsd: a.expectedUsd + b.expectedUsd,
    atMostUsd: a.atMostUsd + b.atMostUsd,
  };
}

/**
 * The run as it would be made, and what is settled of it; `journal` only where there is one. What is opened is closed with
 * `stack`.
 */
async function openForReading(
  { place, settings, retry }: SurveyOptions,
  stack: Cleanup,
): Promise<{ run: RunFile; settled: Settled; journal: FileHandle | undefined }> {
  const hasJournal = await place.copy();
  const present = await place.readRun();
  if (!present) {
    const run = await newRun(settings);
    return { run, settled: new Settled(run), journal: undefined };
  }
  const run = resumedRun(present, settings, place.location);
  const again = retryOf(run, retry);
  if (again) startRound(run, again.kinds);
  const paths = statePaths(place.directory);
  // A run that was killed before it had begun.
  if (!hasJournal) return { run, settled: new Settled(run), journal: undefined };
  const journal = await open(paths.journal, "r");
  stack.defer(() => journal.close());
  const hashes = stack.use(await RowHashes.openForReading(paths.rows));
  await checkDataset(run, hashes);
  const { settled } = await replayJournal(paths.journal, run).catch(damageIn(place.store));
  await reopenGone(place, paths.journal, settled, run.numGenerations);
  return { run, settled, journal };
}
