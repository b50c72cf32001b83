import type { Log } from "../shared/log.ts";
import { localStorage } from "../shared/local-storage.ts";
import { cardOfRun, type ModelCard } from "../shared/model-registry.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { ownCard } from "../shared/own-card.ts";
import type { Profile } from "../shared/profile.ts";
import type { Registration } from "../shared/registration.ts";
import type { RunFile } from "../shared/run-file.ts";
import { s3Storage } from "../shared/s3-storage.ts";
import type { ImageStorage } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findRun, type FoundRun, type RunSight } from "./find-run.ts";
import { HostPool } from "./host-pool.ts";
import { NotHere } from "./job-moves.ts";
import { ProviderHosts } from "./provider-hosts.ts";
import type { AsyncImageGenerationModel } from "./providers/image-model.ts";
import type { RenewableKey } from "./renewable-key.ts";

/** Everything that the calls of one run need. */
export interface RunContext {
  file: RunFile;
  storage: ImageStorage;
  /** Its connections end with the context. */
  store: ObjectStore | undefined;
  /** Calls go to these. */
  hosts: ProviderHosts;
  /** The model at one of the hosts: says what can be asked for. */
  model: AsyncImageGenerationModel;
  card: ModelCard;
  /** Warnings of the provider that the log has already. */
  told: Set<string>;
  /** Jobs that work with it now: its model must not be let go under them. */
  uses: number;
}

/** How a worker reaches a provider, which may be one's own. */
export interface WorkerProfile extends Profile {
  /** Makes the models of a provider of one's own. */
  createModel?: (
    model: string,
    options: ModelOptions,
  ) => AsyncImageGenerationModel | Promise<AsyncImageGenerationModel>;
}

/** What a model is made with. */
export interface ModelOptions {
  /** Longest call in milliseconds. */
  timeoutMs: number;
}

/** Where a run's images go: a storage for the run directory's location; `durable`: once the disk has it. */
export type OpenStorage = (location: string, options: { durable: boolean }) => ImageStorage;

/** What the model of a run is made with. */
export interface RunModelOptions extends ModelOptions {
  /** Images that a call of the run may ask for: of a server of one's own it may be more than is known of the model. */
  maxGenerationsPerCall: number;
}

/** Makes the model of a run. */
export type ModelFactory = (
  profile: WorkerProfile,
  model: string,
  options: RunModelOptions,
) => Promise<AsyncImageGenerationModel>;

/** What run contexts are made with. */
export interface RunContextOptions extends RunSight {
  profile: WorkerProfile;
  key: RenewableKey;
  createModel: ModelFactory;
  /** Default: the run's location itself. */
  openStorage?: OpenStorage | undefined;
  log: Log;
}

/**
 * Run contexts by run id. A run is opened at its first job: `run.json` at its location must be there and hold its id,
 * so that no image is ever written to a disk where the run is not.
 */
export class RunContexts {
  readonly #options: RunContextOptions;
  readonly #pool: HostPool;
  readonly #open = new Map<string, Promise<RunContext>>();
  /** Runs that cannot be seen from here, and messages, that were told. */
  readonly #told = new Set<string>();
  #longestTimeoutMs = 0;

  constructor(options: RunContextOptions) {
    this.#options = options;
    this.#pool = new HostPool(options.profile, options.log);
  }

  /** The longest that a call of any run opened so far may take, in milliseconds. */
  get longestTimeoutMs(): number {
    return this.#longestTimeoutMs;
  }

  /** @throws NotHere where this worker cannot see the run directory, naming both hosts */
  get(registration: Registration): Promise<RunContext> {
    const key = keyOf(registration);
    let context = this.#open.get(key);
    if (!context) {
      context = this.#load(registration);
      this.#open.set(key, context);
      context.catch(() => this.#open.delete(key));
    }
    return context;
  }

  /** Forgets runs that the lane no longer lists, and lets their models go; those that jobs work with stay. */
  async retain(registrations: ReadonlyMap<string, Registration>): Promise<void> {
    const current = new Set(Array.from(registrations.values(), keyOf));
    for (const [key, opening] of this.#open) {
      if (current.has(key)) continue;
      const context = await opening.catch(() => undefined);
      // Another look that waited for the same opening may have let it go.
      if (this.#open.get(key) !== opening || (context && context.uses > 0)) continue;
      this.#open.delete(key);
      context?.store?.close();
      await context?.hosts.unload();
    }
  }

  async close(): Promise<void> {
    await this.retain(new Map());
  }

  async #load(registration: Registration): Promise<RunContext> {
    const found = await this.#find(registration);
    try {
      return await this.#make(found);
    } catch (error) {
      found.store?.close();
      throw error;
    }
  }

  /** Says why the run's jobs are not done here, once. */
  async #find(registration: Registration): Promise<FoundRun> {
    try {
      return await findRun(registration, this.#options);
    } catch (error) {
      if (error instanceof NotHere) this.tellOnce(error.message, registration.run);
      throw error;
    }
  }

  async #make({ location, file, store }: FoundRun): Promise<RunContext> {
    const { profile, createModel } = this.#options;
    const { timeoutMs, maxGenerationsPerCall } = file;
    const hosts = new ProviderHosts({ ...this.#options, pool: this.#pool }, (host) =>
      createModel(host, file.model, { timeoutMs, maxGenerationsPerCall }),
    );
    const model = await hosts.load();
    this.#longestTimeoutMs = Math.max(this.#longestTimeoutMs, timeoutMs);
    return {
      file,
      storage: this.#openStorage(location, file, store),
      store,
      hosts,
      model,
      card: profile.createModel
        ? cardOfRun(file, ownCard(file.profile.kind, file.model, model))
        : cardOfRun(file),
      told: toldByProducer(model, file),
      uses: 0,
    };
  }

  #openStorage(location: string, { durable }: RunFile, store: ObjectStore | undefined) {
    const { openStorage } = this.#options;
    if (openStorage) return openStorage(location, { durable });
    return store ? s3Storage(store) : localStorage(location, { durable });
  }

  /** Says what keeps many jobs from being done here, the first time; once a run, where that is named. */
  tellOnce(message: string, run?: string): void {
    const key = run ?? message;
    if (!this.#told.has(key)) this.#options.log.error({ ...(run && { run }) }, message);
    this.#told.add(key);
  }
}

/** Warnings of the run's own parameters: who started the run has been told them. */
function toldByProducer(model: AsyncImageGenerationModel, { parameters }: RunFile): Set<string> {
  try {
    return new Set(model.checkParameters(parameters).warnings);
  } catch (error) {
    // What is wrong with them is the failure of each call.
    if (error instanceof UsageError) return new Set();
    throw error;
  }
}

/** A run may be resumed with other settings, or in a copy of its directory: then its `run.json` is read again. */
function keyOf({ run, round, revision, location }: Registration): string {
  return `${run}-${round}-${revision} ${location}`;
}
