import { cutOff } from "../shared/cut-off.ts";
import { lanesKey } from "../shared/keys.ts";
import { LaneCard } from "../shared/lane-card.ts";
import { findModel } from "../shared/model-registry.ts";
import { parseJson } from "../shared/parse-json.ts";
import { isPublicHost, profileIdentity, type Profile } from "../shared/profile.ts";
import { closeLimitMs } from "../shared/within.ts";
import type { LaneServiceOptions } from "./lane-service-options.ts";
import { LaneService } from "./lane-service.ts";
import type { WorkerProfile } from "./run-contexts.ts";

/** What a worker serves its lanes with. */
export interface ServedLanesOptions extends Omit<LaneServiceOptions, "lane" | "profile"> {
  /** The lanes of these are served. */
  profiles: readonly WorkerProfile[];
  /** Only lanes whose name holds one of these. Default: all. */
  lanes?: readonly string[] | undefined;
}

/** The lanes that a worker serves, each with a service of its own. */
export class ServedLanes {
  readonly #options: ServedLanesOptions;
  readonly #services = new Map<string, LaneService>();
  /** Models that are not served, and of which that was told. */
  readonly #refused = new Set<string>();
  #isClosed = false;

  constructor(options: ServedLanesOptions) {
    this.#options = options;
  }

  /** Calls whose images are not stored yet. */
  get callsInFlight(): number {
    return Array.from(this.#services.values(), ({ unstored }) => unstored.size).reduce(
      (sum, calls) => sum + calls,
      0,
    );
  }

  /** Starts a service for each lane of the profiles that has none yet. */
  async discover(): Promise<void> {
    const { redis, prefix } = this.#options;
    const lanes = await redis.hgetall(lanesKey(prefix));
    for (const [lane, text] of Object.entries(lanes)) {
      if (this.#isClosed) return;
      const profile = this.#services.has(lane) ? undefined : this.#profileOf(lane, text);
      if (profile) await this.#serve(lane, profile);
    }
  }

  /** Closes every service, as it does by itself, and begins no other. Returns how many calls were given up. */
  async close(graceMs: number | undefined): Promise<number> {
    this.#isClosed = true;
    const services = [...this.#services.values()];
    const abandoned = await Promise.all(services.map((service) => service.finish(graceMs)));
    // Nothing is left to be told that would not be found in storage.
    if (this.#options.pulse.silentMs >= closeLimitMs) cutOff(this.#options.redis);
    await Promise.all(services.map((service) => service.letGo()));
    return abandoned.reduce((sum, calls) => sum + calls, 0);
  }

  async #serve(lane: string, profile: WorkerProfile): Promise<void> {
    const service = new LaneService({ ...this.#options, lane, profile });
    this.#services.set(lane, service);
    try {
      await service.start();
    } catch (error) {
      // Tried again at the next look.
      this.#services.delete(lane);
      await service.close(0);
      throw error;
    }
  }

  /** The profile to serve a lane with; undefined where it is not to be served. */
  #profileOf(lane: string, text: string): WorkerProfile | undefined {
    const { lanes, profiles } = this.#options;
    if (lanes && !lanes.some((name) => lane.includes(name))) return undefined;
    const card = parseJson(LaneCard, text);
    const profile = card && profiles.find((candidate) => isSame(candidate, card));
    return profile && !this.#isShutDown(profile, card.model) ? profile : undefined;
  }

  /** Whether the provider's own service no longer has the model: then no call is made. Says so once. */
  #isShutDown(profile: Profile, model: string): boolean {
    const { shutdownOn } = findModel(profile.kind, model);
    const today = new Date().toISOString().slice(0, 10);
    if (!isPublicHost(profile) || shutdownOn === undefined || shutdownOn > today) return false;
    if (!this.#refused.has(model))
      this.#options.log.error(
        { model },
        `not served: ${profile.name} shut it down on ${shutdownOn}`,
      );
    this.#refused.add(model);
    return true;
  }
}

function isSame(profile: Profile, { profile: wanted }: LaneCard): boolean {
  const { name, kind, hash } = profileIdentity(profile);
  return name === wanted.name && kind === wanted.kind && hash === wanted.hash;
}
