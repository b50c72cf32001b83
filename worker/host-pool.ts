import type { Log } from "../shared/log.ts";
import { baseUrlsOf, type Profile } from "../shared/profile.ts";
import { ProviderHealth } from "./provider-health.ts";

/** One server of a profile. */
export interface Host {
  /** From 1: how it is named where its URL must not be told. */
  place: number;
  /** Undefined: the provider's public host. */
  baseUrl: string | undefined;
  health: ProviderHealth;
  /** Calls of all runs of the lane. */
  inFlight: number;
  /** How many calls the pool had seen when this host was asked last. */
  askedAt: number;
  /** The last call that it answered it sent elsewhere. */
  redirects: boolean;
}

/**
 * The hosts of a lane's profile. A call goes to the one with the fewest in flight; a host that is away is left out, and from
 * time to time one call tries it again.
 */
export class HostPool {
  readonly hosts: readonly Host[];
  readonly #log: Log;
  #asked = 0;

  constructor(profile: Profile, log: Log, now?: () => number) {
    this.#log = log;
    this.hosts = baseUrlsOf(profile).map((baseUrl, i) => ({
      place: i + 1,
      baseUrl,
      health: new ProviderHealth(now),
      inFlight: 0,
      askedAt: 0,
      redirects: false,
    }));
  }

  /** The host for a call that starts now: of equals the one that has not been asked for longest. */
  take(): Host {
    const open = this.hosts.filter(({ health }) => health.waitMs === 0);
    // Where all are away the lane waits, and its probe may go to any.
    const candidates = open.length > 0 ? open : this.hosts;
    const host = candidates.reduce((best, other) => (isFitter(other, best) ? other : best));
    host.inFlight += 1;
    host.askedAt = ++this.#asked;
    host.health.started();
    return host;
  }

  /** The host answered sensibly, be it with a refusal. */
  answered(host: Host): void {
    host.redirects = false;
    if (host.health.answered()) this.#tell(host, "answers again");
  }

  /**
   * A call found no provider there. Gives whether the host is away from now on; undefined where no other host could take the
   * call, so that the failure is the provider's as a whole.
   */
  missed(host: Host, prompt: string, sent: boolean): boolean | undefined {
    return this.#leaveOut(host, prompt, sent, "is away");
  }

  /** The host sent a call elsewhere, where no call follows: like {@link missed}, since no other prompt fares better there. */
  redirected(host: Host, prompt: string): boolean | undefined {
    host.redirects = true;
    return this.#leaveOut(host, prompt, false, "answers with a redirect, which is not followed");
  }

  #leaveOut(host: Host, prompt: string, sent: boolean, why: string): boolean | undefined {
    const before = host.health.away;
    const isAway = host.health.missed(prompt, sent);
    if (isAway && !before)
      this.#tell(host, `${why}: the others get its calls, one at a time probes it`);
    return this.hosts.some((other) => other !== host && !other.health.away) ? isAway : undefined;
  }

  #tell({ place }: Host, words: string): void {
    const count = this.hosts.length;
    if (count > 1) this.#log.warn({}, `base URL ${place} of ${count} ${words}`);
  }
}

function isFitter(one: Host, other: Host): boolean {
  if (one.inFlight !== other.inFlight) return one.inFlight < other.inFlight;
  return one.askedAt < other.askedAt;
}
