import { newRunId, type RunFile } from "../../shared/run-file.ts";

/** A run of one image a prompt by the simulator's model for one image a call. */
export function testRun(changes: Partial<RunFile> = {}): RunFile {
  return {
    v: 1,
    id: newRunId(),
    createdAt: "2026-11-23T00:00:00.000Z",
    host: "host",
    source: { path: "/data/prompts.jsonl", format: "jsonl", promptColumn: "prompt", paramFrom: {} },
    profile: { name: "test", kind: "openai", hash: "00000000" },
    model: "imagemill-sim-1",
    parameters: {},
    seed: 42,
    numGenerations: 1,
    maxGenerationsPerCall: 1,
    limit: null,
    attempts: 5,
    maxCostUsd: null,
    pricePerImageUsd: null,
    timeoutMs: 30_000,
    durable: false,
    workers: "here",
    round: 0,
    revision: 0,
    retryKinds: null,
    summary: null,
    unsettledCalls: 0,
    outputsAt: null,
    dataset: { size: 0, mtimeMs: 0, rows: null },
    ...changes,
  };
}
