import { LaneLimits } from "../shared/lane-limits.ts";

/** How long a limit is believed that nobody tells again: it may have been raised. */
const believedMs = 90_000;
/** A call that comes late is made up for within this time. */
const slackMs = 50;
/** Keeps the slack within the limit. */
const margin = 1.005;

/**
 * The limits a minute on images and requests that one of several hosts told, kept by this process alone. `now` gives
 * milliseconds.
 */
export class HostLimits {
  readonly #now: () => number;
  #limits: LaneLimits = {};
  #toldAt = -Infinity;
  #freeAt = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  told(limits: LaneLimits | undefined): void {
    if (!limits) return;
    this.#limits = limits;
    this.#toldAt = this.#now();
  }

  /** Those that are believed now. */
  get current(): LaneLimits {
    return this.#now() - this.#toldAt < believedMs ? this.#limits : {};
  }

  /** Calls for so many images that they let in a minute; Infinity where none is known. */
  callsPerMinute(images: number): number {
    const { imagesPerMinute = Infinity, requestsPerMinute = Infinity } = this.current;
    return Math.min(imagesPerMinute / images, requestsPerMinute);
  }

  /** Whether a call may go now. */
  get isFree(): boolean {
    return this.#freeAt - this.#now() <= slackMs;
  }

  /** A call for so many images goes; `share`: the part of the limits that this process may use. */
  take(images: number, share: number): void {
    const tookMs = (60_000 * margin) / (this.callsPerMinute(images) * share);
    this.#freeAt = Math.max(this.#freeAt, this.#now()) + tookMs;
  }
}

/** What hosts let in together, as far as each of them told its limit; undefined where not all did, or there is none. */
export function sumOfLimits(hosts: readonly LaneLimits[]): LaneLimits | undefined {
  if (hosts.length === 0) return undefined;
  const sum: LaneLimits = {};
  for (const name of LaneLimits.keyof().options) {
    const told = hosts.flatMap((limits) => limits[name] ?? []);
    if (told.length === hosts.length) sum[name] = told.reduce((one, other) => one + other, 0);
  }
  return Object.keys(sum).length > 0 ? sum : undefined;
}
