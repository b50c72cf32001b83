// `imagemill`: runs and workers in one's own program, and the gallery's models.
export { createWorker, type CreateWorkerOptions } from "./library/create-worker.ts";
export { exportRun } from "./library/export-run.ts";
export { openRun, type OpenRunOptions } from "./library/open-run.ts";
export type { PromptResult } from "./library/prompt-result.ts";
export type { BuiltInProvider, OwnProvider, Provider } from "./library/provider.ts";
export type { RedisInput } from "./library/redis-input.ts";
export type { Run } from "./library/run.ts";
export type { RunEvents } from "./library/run-events.ts";
export type { RunRequest } from "./library/run-request.ts";
export type { PromptRow, PromptRows } from "./library/spool-rows.ts";
export { steerRun, type SteerRunOptions } from "./library/steer-run.ts";
export type { SteeredRun } from "./shared/steer-run.ts";
export { surveyRun, type RunSurvey, type SurveyRunOptions } from "./library/survey-run.ts";
export * from "./models.ts";
export type {
  ExportFormat,
  ExportOptions,
  ExportProgress,
  ExportSummary,
} from "./producer/export/export-run.ts";
export { ExportStopped } from "./producer/export/export-stopped.ts";
export { RunInUseError } from "./producer/run-lock.ts";
export type { RunProgress } from "./producer/run-life.ts";
export type { LanePause } from "./shared/lane-state.ts";
export type { Log } from "./shared/log.ts";
export type { AttemptRecord, ImageRecord, PromptFailure, PromptState } from "./shared/result.ts";
export type { RunSummary } from "./shared/run-file.ts";
export type { Steering } from "./shared/steering.ts";
export { version } from "./shared/version.ts";
export type { ImageWorker } from "./worker/create-worker.ts";
export type { ModelOptions, OpenStorage } from "./worker/run-contexts.ts";
