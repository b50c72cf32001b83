import { ProviderError } from "../shared/failure.ts";
import type { Profile } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import { guardAnswer, guardFailure } from "./guard-secrets.ts";
import type { Host, HostPool } from "./host-pool.ts";
import type { AsyncImageGenerationModel } from "./providers/image-model.ts";
import type { CallOptions, ImageGeneration } from "./providers/image-generation.ts";
import type { RenewableKey } from "./renewable-key.ts";

/** Makes the model of one host of a profile; the host is its `baseUrl`. */
export type MakeModel = (profile: Profile) => Promise<AsyncImageGenerationModel>;

/** What the hosts of a lane's profile have in common for all its runs. */
export interface HostParts {
  profile: Profile;
  key: RenewableKey;
  pool: HostPool;
}

/** The model of a run at each host of its profile. A call goes where the pool says, with the key as it is now. */
export class ProviderHosts {
  readonly #parts: HostParts;
  readonly #make: MakeModel;
  /** By host, then by key: calls with an older key may still be under way. */
  readonly #models = new Map<Host, Map<string | undefined, Promise<AsyncImageGenerationModel>>>();

  constructor(parts: HostParts, make: MakeModel) {
    this.#parts = parts;
    this.#make = make;
  }

  /** Gets the models ready and gives one of them: what it says of parameters and limits is true of all. */
  async load(): Promise<AsyncImageGenerationModel> {
    const { hosts } = this.#parts.pool;
    const models = await Promise.all(hosts.map((host) => this.#modelOf(host)));
    return models[0]!;
  }

  /**
   * Makes one call at one host. What comes back holds no secrets, whatever the model says.
   * Limits that one of several hosts tells are its own, and none of the lane's.
   * @throws ProviderError as the model does; with `hostAway` where another host could have taken the call
   */
  async agenerate(input: string, call: CallOptions): Promise<ImageGeneration> {
    const { key, pool } = this.#parts;
    const host = pool.take(call.numGenerations);
    const secrets = { apiKey: key.current, baseUrl: host.baseUrl };
    try {
      const model = await this.#modelOf(host);
      const answer = guardAnswer(await model.agenerate(input, call), secrets);
      pool.served(host);
      if (pool.hosts.length === 1) return answer;
      const { limits: told, ...rest } = answer;
      host.limits.told(told);
      const { limits } = pool;
      return { ...rest, ...(limits && { limits }) };
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
    const models = [...this.#models.values()].flatMap((byKey) => [...byKey.values()]);
    const loaded = await Promise.allSettled(models);
    for (const end of loaded) if (end.status === "fulfilled") await end.value.unload();
  }

  /** Notes what the failure says of its host, and whether it is the host's alone. */
  #judge(host: Host, input: string, error: ProviderError | UsageError): Error {
    const { pool } = this.#parts;
    if (error instanceof ProviderError && isRedirect(error))
      return this.#redirected(host, input, error);
    if (error instanceof ProviderError && error.kind === "rate_limited" && pool.hosts.length > 1)
      return this.#refused(host, error);
    if (error instanceof UsageError || error.kind === "internal") host.health.abandoned();
    else if (this.#isNoAnswer(error)) error.hostAway = pool.missed(host, input, error.sent);
    else pool.answered(host);
    return error;
  }

  /** One host's refusal holds that host alone; where none takes calls, the lane, until the first does again. */
  #refused(host: Host, error: ProviderError): ProviderError {
    const { pool } = this.#parts;
    host.limits.told(error.limits);
    const { othersTake, waitMs } = pool.refused(host, error.retryAfterMs);
    const { message, status, code, requestId, tokensCounted, cause } = error;
    return new ProviderError("rate_limited", message, {
      status,
      code,
      requestId,
      tokensCounted,
      cause,
      ...(othersTake
        ? { hostAway: true, retryAfterMs: error.retryAfterMs }
        : { retryAfterMs: waitMs, limits: pool.limits }),
    });
  }

  /** A redirect is a mistake in one base URL; where every base URL has it, in the run's settings. */
  #redirected(host: Host, input: string, error: ProviderError): ProviderError {
    const { pool } = this.#parts;
    const hostAway = pool.redirected(host, input);
    if (pool.hosts.every(({ redirects }) => redirects)) return error;
    const { message, status, requestId, cause } = error;
    return new ProviderError("unavailable", message, { status, requestId, hostAway, cause });
  }

  /** A host among several that answers with anything but images is the fastest of all, and would get most of the calls. */
  #isNoAnswer({ kind }: ProviderError): boolean {
    if (kind === "bad_response") return this.#parts.pool.hosts.length > 1;
    return kind === "unavailable" || kind === "timeout";
  }

  async #modelOf(host: Host): Promise<AsyncImageGenerationModel> {
    const { profile, key } = this.#parts;
    const apiKey = key.current;
    const byKey =
      this.#models.get(host) ?? new Map<string | undefined, Promise<AsyncImageGenerationModel>>();
    this.#models.set(host, byKey);
    const known = byKey.get(apiKey);
    if (known) return await known;
    const making = this.#makeReady({ ...profile, baseUrl: host.baseUrl, apiKey });
    byKey.set(apiKey, making);
    making.catch(() => byKey.delete(apiKey)); // so that the next call tries again
    return await making;
  }

  async #makeReady(profile: Profile): Promise<AsyncImageGenerationModel> {
    const model = await this.#make(profile);
    await model.load();
    return model;
  }
}

function isRedirect({ status = 0 }: ProviderError): boolean {
  return status >= 300 && status < 400;
}
