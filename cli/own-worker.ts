import { createWorker } from "../library/create-worker.ts";
import type { OpenRunOptions } from "../library/open-run.ts";
import type { Cleanup } from "../shared/cleanup.ts";
import type { Log } from "../shared/log.ts";
import type { S3Options } from "../shared/open-store.ts";
import { plural } from "../shared/quantity.ts";
import type { ImageWorker } from "../worker/create-worker.ts";
import type { ProxySettings } from "../worker/providers/http.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import type { Terminal } from "./terminal.ts";

/** Longer than Redis is silent between two questions, shorter than any run waits for it. */
const silenceMs = 1_000;

/** What a worker beside its producer is made of. */
export interface OwnWorkerOptions {
  profile: WorkerProfile;
  concurrency: number;
  s3: S3Options | undefined;
  proxy: ProxySettings;
  terminal: Terminal;
  log: Log;
}

/** The worker of a process that also produces: started once its run is open, ended with `stack`. */
export class OwnWorker {
  readonly #options: OwnWorkerOptions;
  readonly #stack: Cleanup;
  #worker: ImageWorker | undefined;

  constructor(options: OwnWorkerOptions, stack: Cleanup) {
    this.#options = options;
    this.#stack = stack;
  }

  /** Undefined until it is started. */
  get worker(): ImageWorker | undefined {
    return this.#worker;
  }

  /** For `onOpened`. */
  readonly start: NonNullable<OpenRunOptions["onOpened"]> = async ({ redis, isPrivate }) => {
    const { profile, concurrency, s3, proxy, terminal, log } = this.#options;
    const providers = [await withSimulator(profile, this.#stack, terminal)];
    const isOnlyWorker = isPrivate;
    const worker = await createWorker({
      redis,
      providers,
      concurrency,
      isOnlyWorker,
      s3,
      proxy,
      log,
    });
    this.#worker = worker;
    this.#stack.defer(async () => {
      const calls = await worker.close(this.#graceMs(worker));
      if (calls > 0)
        terminal.write(
          `${plural(calls, "call was", "calls were")} given up and may be charged a second time`,
        );
    });
  };

  /**
   * The run has waited for its calls: what is still there cannot be stored, or its run has ended. Of a Redis that it gave up
   * the run could learn nothing of them; they are paid, and their images are found when it goes on.
   */
  #graceMs(worker: ImageWorker): number | undefined {
    const calls = worker.callsInFlight();
    if (worker.redisSilentMs < silenceMs || calls === 0) return 0;
    this.#options.terminal.write(
      `finishing ${plural(calls, "call")} in flight: what they make is found when the run goes on`,
    );
    return undefined;
  }
}

/** A simulator of the run's own, where the profile is the simulator's and no server is named. */
async function withSimulator(
  profile: WorkerProfile,
  stack: Cleanup,
  terminal: Terminal,
): Promise<WorkerProfile> {
  if (profile.name !== "simulator" || profile.baseUrl !== undefined) return profile;
  const { startSimulator } = await import("../simulator/simulator.ts");
  const simulator = stack.use(
    await startSimulator({ latencyMs: 300, jitter: 0.5, imageScale: 0.25 }),
  );
  terminal.write(
    "images are simulated: a built-in server draws them, nothing is sent anywhere and nothing costs",
  );
  return { ...profile, baseUrl: `${simulator.url}/v1` };
}
