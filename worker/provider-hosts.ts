import type { ProviderError } from "../shared/failure.ts";
import { UsageError } from "../shared/usage-error.ts";
import { baseUrlsOf, type Profile } from "../shared/profile.ts";
import { guardAnswer, guardFailure } from "./guard-secrets.ts";
import { ProviderHealth } from "./provider-health.ts";
import type { AsyncImageGenerationModel } from "./providers/image-model.ts";
import type { CallOptions, ImageGeneration } from "./providers/image-generation.ts";
import type { RenewableKey } from "./renewable-key.ts";

/** Makes the model of one host of a profile; the host is its `baseUrl`. */
export type MakeModel = (profile: Profile) => Promise<AsyncImageGenerationModel>;

interface Host {
  baseUrl: string | undefined;
  health: ProviderHealth;
  inFlight: number;
  /** One for each key that the profile has had: calls with an older key may still be under way. */
  models: Map<string | undefined, Promise<AsyncImageGenerationModel>>;
}

/**
 * The hosts of one profile, and the model of a run at each of them. A call goes to the host with the fewest calls in
 * flight, with the key as it is now. A host that is away is left out; from time to time one call tries it again.
 */
export class ProviderHosts {
  readonly #profile: Profile;
  readonly #key: RenewableKey;
  readonly #make: MakeModel;
  readonly #hosts: Host[];
  #turn = 0;

  constructor(profile: Profile, key: RenewableKey, make: MakeModel, now?: () => number) {
    this.#profile = profile;
    this.#key = key;
    this.#make = make;
    this.#hosts = baseUrlsOf(profile).map((baseUrl) => ({
      baseUrl,
      health: new ProviderHealth(now),
      inFlight: 0,
      models: new Map(),
    }));
  }

  /** Gets the models ready and gives one of them: what it says of parameters and limits is true of all. */
  async load(): Promise<AsyncImageGenerationModel> {
    const models = await Promise.all(this.#hosts.map((host) => this.#modelOf(host)));
    return models[0]!;
  }

  /**
   * Makes one call at one host.
   * @throws ProviderError as the model does; with `hostAway` where another host could have taken the call
   */
  async agenerate(input: string, call: CallOptions): Promise<ImageGeneration> {
    const host = this.#choose();
    host.inFlight += 1;
    host.health.started();
    const secrets = { apiKey: this.#key.current, baseUrl: host.baseUrl };
    try {
      const model = await this.#modelOf(host);
      const answer = await model.agenerate(input, call);
      host.health.answered();
      return guardAnswer(answer, secrets);
    } catch (error) {
      if (call.signal?.aborted) {
        host.health.abandoned();
        throw error;
      }
      throw this.#judge(host, input, guardFailure(error, secrets));
    } finally {
      host.inFlight -= 1;
    }
  }

  async unload(): Promise<void> {
    const models = this.#hosts.flatMap((host) => [...host.models.values()]);
    const loaded = await Promise.allSettled(models);
    for (const end of loaded) if (end.status === "fulfilled") await end.value.unload();
  }

  /** The fittest host; equals take turns. */
  #choose(): Host {
    this.#turn += 1;
    const from = this.#turn % this.#hosts.length;
    const inTurn = [...this.#hosts.slice(from), ...this.#hosts.slice(0, from)];
    const open = inTurn.filter(({ health }) => health.waitMs === 0);
    // Where all are away the lane waits, and its probe may go to any.
    const candidates = open.length > 0 ? open : inTurn;
    return candidates.reduce((best, host) => (host.inFlight < best.inFlight ? host : best));
  }

  /** Notes what the failure says of its host, and whether it is the host's alone. */
  #judge(host: Host, input: string, error: ProviderError | UsageError): Error {
    if (error instanceof UsageError || error.kind === "internal") {
      host.health.abandoned();
      return error;
    }
    if (error.kind !== "unavailable" && error.kind !== "timeout") {
      host.health.answered();
      return error;
    }
    const hostAway = host.health.missed(input, error.sent);
    const others = this.#hosts.some((other) => other !== host && !other.health.away);
    if (others) error.hostAway = hostAway;
    return error;
  }

  async #modelOf(host: Host): Promise<AsyncImageGenerationModel> {
    const apiKey = this.#key.current;
    const known = host.models.get(apiKey);
    if (known) return await known;
    const making = this.#makeReady({ ...this.#profile, baseUrl: host.baseUrl, apiKey });
    host.models.set(apiKey, making);
    making.catch(() => host.models.delete(apiKey)); // so that the next call tries again
    return await making;
  }

  async #makeReady(profile: Profile): Promise<AsyncImageGenerationModel> {
    const model = await this.#make(profile);
    await model.load();
    return model;
  }
}
