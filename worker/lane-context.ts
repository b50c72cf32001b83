import type { BudgetLedger } from "../shared/budget-ledger.ts";
import type { ProviderError } from "../shared/failure.ts";
import type { Registration } from "../shared/registration.ts";
import type { Log } from "../shared/log.ts";
import type { PromptResult } from "../shared/result.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { Continuity } from "./continuity.ts";
import type { Gate } from "./gate.ts";
import type { LaneExit } from "./lane-exit.ts";
import type { Limiter, Permit } from "./limiter.ts";
import type { WorkerObserver } from "./observer.ts";
import type { ProviderWatch } from "./provider-watch.ts";
import type { RenewableKey } from "./renewable-key.ts";
import type { RunContexts } from "./run-contexts.ts";
import type { Solitude } from "./solitude.ts";
import type { StorageWatch } from "./storage-watch.ts";
import type { SubJobWriter } from "./sub-job-writer.ts";

/** What a job needs of the lane that it came from. */
export interface LaneContext {
  /** This worker's id. */
  worker: string;
  lane: string;
  log: Log;
  attemptLog: AttemptLog;
  observer: WorkerObserver;
  gate: Gate;
  limiter: Limiter;
  /** Bounds the bytes of answers in this process. */
  memory: AnswerMemory;
  runs: RunContexts;
  key: RenewableKey;
  /** Keeps all jobs of this process apart from one that may take it down. */
  solitude: Solitude;
  /** The run as the lane knows it, asked of Redis where it is not known yet. */
  findRegistration(run: string): Promise<Registration | undefined>;
  subJobs: SubJobWriter;
  /** Since when what Redis says of jobs can be believed. */
  continuity: Continuity;
  /** Ids of jobs that have a call in flight here, or had one whose result is not safe yet. */
  calls: Set<string>;
  /** Calls that the provider has in hand, or whose images are not stored yet: what is lost of these is bought again. */
  unstored: Set<object>;
  /** Ids of jobs whose call waits here for leave to start. */
  unsentCalls: Set<string>;
  /** Aborted when the grace time is over: calls in flight are given up. */
  abandoned: AbortSignal;
  /** The provider refused a call for the sake of its limits: no worker of the lane starts one for a while. */
  refused(permit: Permit, failure: ProviderError): Promise<void>;
  /** For failures that the lane's other calls would meet as well. */
  exit: LaneExit;
  /** Learns from calls whether the provider is there. */
  provider: ProviderWatch;
  /** How long a provider that is away is waited for, whatever is left to ask it for. */
  patienceMs: number;
  /** Asks the storages of the lane's runs. */
  storage: StorageWatch;
  /** Resolves when no living worker makes a call of this job, or of one of its sub-jobs, or is to: true where one did. */
  livingCallsEnded(jobId: string): Promise<boolean>;
  /** Whether no job of the lane waits for a worker. */
  isQueueEmpty(): Promise<boolean>;
  /** What a run with a budget has spent and reserved. */
  budget(run: string): BudgetLedger;
  addResult(result: PromptResult): Promise<void>;
}
