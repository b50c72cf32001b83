// Writes the run directory of a finished run of so many prompts, by the project's own writers, for measuring the monitor:
// node scripts/large-run.ts DIRECTORY PROMPTS
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { folderPlace } from "../producer/folder-place.ts";
import { lineOfResult } from "../producer/journal-lines.ts";
import { Journal } from "../producer/journal.ts";
import { openRunFile, statePaths } from "../producer/run-directory.ts";
import { replayJournal } from "../producer/replay.ts";
import { summarize } from "../producer/summarize.ts";
import type { FailureKind } from "../shared/failure.ts";
import type { AttemptRecord, PromptResult } from "../shared/result.ts";
import { imagePath } from "../shared/storage.ts";

const [directory = "", text = ""] = process.argv.slice(2);
const prompts = Number(text);
if (directory === "" || !Number.isSafeInteger(prompts) || prompts < 1)
  throw new Error("expected: node scripts/large-run.ts DIRECTORY PROMPTS");

const sha = "3b1f0e9a".repeat(8);
const problems: [FailureKind, number, string][] = [
  [
    "rate_limited",
    429,
    "Rate limit reached: Limit 50, Used 50, Requested 1. Please try again in 1.2s.",
  ],
  ["unavailable", 503, "The server is overloaded, try again later (request req_8f3a91)"],
  ["timeout", 408, "the call took longer than 180 s"],
  ["bad_response", 200, "no image of 1 is whole: the PNG ends in the middle of a chunk"],
];

/** What a prompt came to, as a worker reports it: one in eight is tried again, one in two hundred is refused. */
function resultOf(run: string, index: number, startMs: number): PromptResult {
  const at = startMs + index * 12;
  const isRefused = index % 200 === 199;
  const attempts: AttemptRecord[] = [];
  const base = { generations: [0], worker: "worker-1", sent: true, burned: true };
  for (let n = 0; n < (index % 8 === 7 ? 1 + (index % 3) : 0); n++) {
    const [outcome, status, message] = problems[(index + n) % problems.length]!;
    const times = { startedAt: at + n * 4_000, endedAt: at + n * 4_000 + 900 };
    attempts.push({ ...base, ...times, outcome, status, message, burned: n > 0, limiterMs: 3 });
  }
  const startedAt = (attempts.at(-1)?.endedAt ?? at) + 1_500;
  const endedAt = startedAt + 4_000 + ((index * 7_919) % 9_000);
  const waits = {
    queuedMs: 200 + (index % 900),
    limiterMs: index % 50,
    storingMs: 4 + (index % 9),
  };
  const message = "Your request was rejected by the safety system.";
  const failure = { kind: "content_policy", status: 400, message } as const;
  const { kind: outcome } = failure;
  if (isRefused)
    attempts.push({ ...base, startedAt, endedAt, outcome, status: 400, message, ...waits });
  else
    attempts.push({
      ...base,
      startedAt,
      endedAt,
      outcome: "ok",
      ...waits,
      requestId: `req_${index}`,
    });
  const file = `${imagePath(index, 0)}.png`;
  const image = { generation: 0, file, width: 1024, height: 1024, bytes: 1_400_000, sha256: sha };
  return {
    v: 1,
    run,
    round: 0,
    index,
    numGenerations: 1,
    state: isRefused ? "failed" : "succeeded",
    images: isRefused ? [] : [{ ...image, costUsd: 0.04 }],
    failures: isRefused ? [{ generations: [0], ...failure }] : [],
    attempts,
    ...(!isRefused && { costUsd: 0.04 }),
  };
}

const out = resolve(directory);
const place = folderPlace(out);
await place.prepare();
const dataset = `${out}.jsonl`;
const promptOf = (index: number) =>
  `prompt ${index}: a lighthouse on a cliff at dusk, oil on canvas, long shadows, a flock of gulls over the bay`;
await writeFile(dataset, `${JSON.stringify({ prompt: promptOf(0) })}\n`);
const { run } = await openRunFile(place, {
  source: { path: dataset, format: "jsonl", promptColumn: "prompt", paramFrom: {} },
  profile: { name: "simulator", kind: "openai", hash: "00000000" },
  model: "imagemill-sim-1",
  parameters: { size: "1024x1024" },
  numGenerations: 1,
  maxGenerationsPerCall: 1,
  limit: prompts,
  attempts: 8,
  timeoutMs: 180_000,
  durable: false,
  maxCostUsd: null,
  pricePerImageUsd: null,
});
const startMs = Date.now() - prompts * 12;
run.createdAt = new Date(startMs).toISOString();
await using lock = await place.lock();
await using journal = await Journal.open(statePaths(out).journal, 0, lock);
for (let from = 0; from < prompts; from += 2_000) {
  const lines = Array.from({ length: Math.min(2_000, prompts - from) }, (_, i) => {
    const result = resultOf(run.id, from + i, startMs);
    const row = { prompt: promptOf(from + i), columns: { source: "made" } };
    const settledAt = result.attempts.at(-1)!.endedAt + 20;
    return { ...lineOfResult(result, row, []), settledAt };
  });
  await journal.append(lines);
}
run.dataset.rows = prompts;
const { settled } = await replayJournal(statePaths(out).journal, run);
const end = { stop: undefined, rows: prompts, ended: true };
run.summary = summarize({ place, run, settled }, end, prompts * 12);
await place.writeRun(run);
process.stdout.write(`${out}: ${prompts} prompts, ${journal.bytes} bytes of journal\n`);
