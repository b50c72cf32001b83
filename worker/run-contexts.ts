import { hostname } from "node:os";
import { messageOf } from "../shared/caught.ts";
import { localStorage } from "../shared/local-storage.ts";
import { findModel, type ModelCard } from "../shared/model-registry.ts";
import type { Profile } from "../shared/profile.ts";
import type { Registration } from "../shared/registration.ts";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import type { ImageStorage } from "../shared/storage.ts";
import { HandBack } from "./job-moves.ts";
import type { AsyncImageGenerationModel } from "./providers/image-model.ts";

/** Everything that the calls of one run need. */
export interface RunContext {
  file: RunFile;
  storage: ImageStorage;
  model: AsyncImageGenerationModel;
  card: ModelCard;
  /** Starts at the run's `maxGenerationsPerCall`; lowered when the provider says that a call asks for too many. */
  maxPerCall: number;
}

/** Makes the model of a run; the library's users give their own. */
export type ModelFactory = (
  profile: Profile,
  model: string,
  options: { timeoutMs: number },
) => Promise<AsyncImageGenerationModel>;

/** How long a job stays away whose run directory cannot be read from here. */
const unseenDelayMs = 5_000;

/**
 * Run contexts by run id. A run is opened at its first job: `run.json` at its location must be there and hold its id,
 * so that no image is ever written to a disk where the run is not.
 */
export class RunContexts {
  readonly #profile: Profile;
  readonly #createModel: ModelFactory;
  readonly #open = new Map<string, Promise<RunContext>>();

  constructor(profile: Profile, createModel: ModelFactory) {
    this.#profile = profile;
    this.#createModel = createModel;
  }

  /** @throws HandBack where this worker cannot see the run directory, naming both hosts */
  get(registration: Registration): Promise<RunContext> {
    const key = `${registration.run}-${registration.round}`;
    let context = this.#open.get(key);
    if (!context) {
      context = this.#load(registration);
      this.#open.set(key, context);
      context.catch(() => this.#open.delete(key));
    }
    return context;
  }

  /** Forgets runs that the lane no longer lists, and lets their models go. */
  async retain(registrations: ReadonlyMap<string, Registration>): Promise<void> {
    const current = new Set(
      Array.from(registrations.values(), ({ run, round }) => `${run}-${round}`),
    );
    const gone = [...this.#open].filter(([key]) => !current.has(key));
    for (const [key, context] of gone) {
      this.#open.delete(key);
      await (await context).model.unload();
    }
  }

  async close(): Promise<void> {
    await this.retain(new Map());
  }

  async #load({ run, location, host }: Registration): Promise<RunContext> {
    const file = await readRunFile(location).catch((error: unknown) => {
      throw new HandBack(messageOf(error), unseenDelayMs);
    });
    if (file?.id !== run) {
      const found = file ? `holds run ${file.id}` : "is not there";
      throw new HandBack(
        `run ${run} is at ${location} on ${host}, but on ${hostname()} that directory ${found}: ` +
          "mount the same directory there or start the worker with --storage-root",
        unseenDelayMs,
      );
    }
    const model = await this.#createModel(this.#profile, file.model, { timeoutMs: file.timeoutMs });
    await model.load();
    return {
      file,
      storage: localStorage(location, { durable: file.durable }),
      model,
      card: findModel(file.profile.kind, file.model),
      maxPerCall: file.maxGenerationsPerCall,
    };
  }
}
