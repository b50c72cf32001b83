import type { Log } from "../shared/log.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import { baseUrlsOf, type Profile } from "../shared/profile.ts";
import { HostLimits, sumOfLimits } from "./host-limits.ts";
import { ProviderHealth } from "./provider-health.ts";

/** One server of a profile. */
export interface Host {
  /** From 1: how it is named where its URL must not be told. */
  place: number;
  /** Undefined: the provider's public host. */
  baseUrl: string | undefined;
  health: ProviderHealth;
  /** Those that it told. */
  limits: HostLimits;
  /** Calls of all runs of the lane. */
  inFlight: number;
  /** How many calls the pool had seen when this host was asked last. */
  askedAt: number;
  /** The last call that it answered it sent elsewhere. */
  redirects: boolean;
  /** Until when it takes no calls, for the sake of its own limits; and whether it told how long. */
  refusesUntil: number;
  hasToldWait: boolean;
  /** Its refusals since it last answered, those of one burst as one. */
  refusals: number;
  /** Its part of the calls beside hosts that refuse none, as it was when it last refused: halved by each burst of refusals. */
  share: number;
}

const leastShare = 1 / 64;
/** In which the part of a host that takes calls again doubles. */
const shareDoublesMs = 20_000;
/** How long a host is left alone that refuses without a time to wait; twice as long each time. */
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;

/**
 * The hosts of a lane's profile. A call goes to the one with the fewest in flight, for what its limits let in; a host that is away
 * is left out, and from time to time one call tries it again; one that refuses calls for its own limits' sake is left out for as
 * long as it asks for, and one that told its limits while they are used up.
 */
export class HostPool {
  readonly hosts: readonly Host[];
  readonly #log: Log;
  readonly #now: () => number;
  #asked = 0;

  constructor(profile: Profile, log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
    this.hosts = baseUrlsOf(profile).map((baseUrl, i) => ({
      place: i + 1,
      baseUrl,
      health: new ProviderHealth(now),
      limits: new HostLimits(now),
      inFlight: 0,
      askedAt: 0,
      redirects: false,
      refusesUntil: 0,
      hasToldWait: false,
      refusals: 0,
      share: 1,
    }));
  }

  /** The host for a call for so many images that starts now: of equals the one that has not been asked for longest. */
  take(images: number): Host {
    const willing = this.hosts.filter((host) => !this.#refuses(host));
    const open = willing.filter(({ health }) => health.waitMs === 0);
    const free = open.filter(({ limits }) => limits.isFree);
    // Where all are away the lane waits, and its probe may go to any.
    const candidates = [free, open, willing, this.hosts].find(({ length }) => length > 0)!;
    const loads = this.#loads(images);
    const host = candidates.reduce((best, other) => {
      const [load, otherLoad] = [loads.get(best)!, loads.get(other)!];
      if (load === otherLoad) return other.askedAt < best.askedAt ? other : best;
      return otherLoad < load ? other : best;
    });
    host.inFlight += 1;
    host.askedAt = ++this.#asked;
    host.limits.take(images, this.#shareOf(host));
    host.health.started();
    return host;
  }

  /** What the hosts that answer let in together, as far as each of them told it. */
  get limits(): LaneLimits | undefined {
    const living = this.hosts.filter(({ health }) => !health.away);
    return sumOfLimits(living.map(({ limits }) => limits.current));
  }

  /** The host made images. */
  served(host: Host): void {
    host.refusals = 0;
    this.answered(host);
  }

  /** The host answered sensibly, be it with a refusal. */
  answered(host: Host): void {
    host.redirects = false;
    if (host.health.answered()) this.#tell(host, "answers again");
  }

  /**
   * The host takes no calls for a while, for the sake of its limits. Gives whether another one does; and where none does, how
   * many milliseconds it is until one does again, if that was told.
   */
  refused(host: Host, retryAfterMs?: number): { othersTake: boolean; waitMs?: number } {
    const now = this.#now();
    this.answered(host);
    // The others of a burst say nothing new.
    if (!this.#refuses(host)) {
      host.share = Math.max(leastShare, this.#shareOf(host) / 2);
      host.refusals += 1;
    }
    const guessMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (host.refusals - 1));
    const until = now + (retryAfterMs ?? guessMs);
    if (until > host.refusesUntil) {
      host.refusesUntil = until;
      host.hasToldWait = retryAfterMs !== undefined;
    }
    if (this.#othersTake(host)) return { othersTake: true };
    const refusing = this.hosts.filter((other) => this.#refuses(other));
    const first = refusing.toSorted((a, b) => a.refusesUntil - b.refusesUntil)[0];
    return {
      othersTake: false,
      ...(first?.hasToldWait && { waitMs: first.refusesUntil - now }),
    };
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
    return this.#othersTake(host) ? isAway : undefined;
  }

  /** Calls that each host has in flight, for its part of the calls: by their limits where all told theirs. */
  #loads(images: number): Map<Host, number> {
    const rates = this.hosts.map(({ limits }) => limits.callsPerMinute(images));
    const areTold = rates.every(Number.isFinite);
    return new Map(
      this.hosts.map((host, i) => {
        const part = this.#shareOf(host) * (areTold ? rates[i]! : 1);
        return [host, (host.inFlight + 1) / part];
      }),
    );
  }

  #shareOf({ share, refusesUntil }: Host): number {
    if (share === 1) return 1;
    const freeMs = Math.max(0, this.#now() - refusesUntil);
    return Math.min(1, share * 2 ** (freeMs / shareDoublesMs));
  }

  #refuses({ refusesUntil }: Host): boolean {
    return refusesUntil > this.#now();
  }

  #othersTake(host: Host): boolean {
    return this.hosts.some(
      (other) => other !== host && !other.health.away && !this.#refuses(other),
    );
  }

  #tell({ place }: Host, words: string): void {
    const count = this.hosts.length;
    if (count > 1) this.#log.warn({}, `base URL ${place} of ${count} ${words}`);
  }
}
